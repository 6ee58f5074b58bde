import Type from 'typebox';
import Format from 'typebox/format';

/** True for standard base64 with mandatory, canonical padding and nothing else (spec/keys-service.md 3.4); `""` counts. */
export function isBase64(text: string): boolean {
  // Node's decoder is lenient, its encoder is not: only the canonical text comes back as it was
  return text.length % 4 === 0 && Buffer.from(text, 'base64').toString('base64') === text;
}

Format.Set('aziot-base64', isBase64);

/** A JSON member that holds bytes as strict base64; decode with {@link decodeBase64} after the shape check. */
export const Base64 = Type.String({ format: 'aziot-base64' });

/** Bytes of a text that {@link isBase64} accepts. */
export const decodeBase64 = (text: string): Buffer => Buffer.from(text, 'base64');

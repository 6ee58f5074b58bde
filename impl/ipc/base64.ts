import Type from 'typebox';
import Format from 'typebox/format';

const CANONICAL = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** True for standard base64 with mandatory, canonical padding and nothing else (spec/keys-service.md 3.4); `""` counts. */
export function isBase64(text: string): boolean {
  if (!CANONICAL.test(text)) return false;
  if (!text.endsWith('=')) return true;
  return Buffer.from(text.slice(-4), 'base64').toString('base64') === text.slice(-4);
}

Format.Set('aziot-base64', isBase64);

/** A JSON member that holds bytes as strict base64; decode with {@link decodeBase64} after the shape check. */
export const Base64 = Type.String({ format: 'aziot-base64' });

/** Bytes of a text that {@link isBase64} accepts. */
export const decodeBase64 = (text: string): Buffer => Buffer.from(text, 'base64');

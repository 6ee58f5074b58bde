import { createCipheriv } from 'node:crypto';

/** Twelve bytes, base64. */
export const IV = Buffer.from('123456789012').toString('base64');
export const MODULE = { moduleId: 'temp', genId: '637000000000000003' };

/** What the reference answers for this plaintext under this key, base64: version 2, AES-256-GCM, the module as additional data. */
export function referenceCiphertext(key: Buffer, plaintext: string): string {
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.from(IV, 'base64'));
  cipher.setAAD(Buffer.from(`${MODULE.moduleId}${MODULE.genId}`));
  const sealed = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
  return Buffer.concat([Buffer.of(2), sealed, cipher.getAuthTag()]).toString('base64');
}

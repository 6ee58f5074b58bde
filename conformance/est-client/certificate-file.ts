import { createHash } from 'node:crypto';

/** Name of the file that holds a certificate (certificates-service.md 5). */
export function certificateFile(id: string): string {
  return `${id.replace(/[^A-Za-z0-9]/g, '')}-${createHash('sha256').update(id).digest('hex')}.cer`;
}

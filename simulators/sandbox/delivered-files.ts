import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deliveries } from './daemon-configs.ts';
import type { Folders } from './folders.ts';

/** The files that come to the device from outside; what is there at a start is kept. */
export function deliveredFiles({ cloud }: Folders): Deliveries & { readonly rootCa: string } {
  return {
    rootCa: join(cloud, 'root-ca.pem'),
    estServerCa: join(cloud, 'est-ca.pem'),
    bootstrapCertificate: join(cloud, 'est-bootstrap-id.pem'),
    bootstrapKey: join(cloud, 'est-bootstrap-id.key.pem'),
  };
}

/** Whether there is anything at `path`. */
export async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { ServerCertificate } from '../common/index.ts';
import type { Authorities } from './authorities.ts';
import { publicHalf, writeCertificate } from './certificate.ts';
import { der, oid, pem, sequence, setOf, TAG } from './der.ts';
import { basicConstraints, EXTENSION, keyUsage, purposes } from './extensions.ts';
import { generalName } from './general-name.ts';
import { PURPOSES } from './purposes.ts';

const YEAR_MS = 365 * 86_400_000;
const HEAD_START_MS = 60_000;
const DIGITAL_SIGNATURE = 0x80;

/** A TLS server certificate of the `server` authority of the root that issues now, with the chain that clients of both roots need. */
export async function makeServerCertificate(
  authorities: Authorities,
  { hosts, now }: { readonly hosts: readonly string[]; readonly now: number },
): Promise<ServerCertificate> {
  const issuer = await authorities.issuer('server');
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  const begin = Math.floor((now - HEAD_START_MS) / 1000) * 1000;
  const attribute = sequence(oid('2.5.4.3'), der(TAG.utf8String, Buffer.from(`TEST server ${hosts[0] ?? ''}`)));
  const leaf = writeCertificate(
    {
      subject: sequence(setOf(attribute)),
      spki: publicHalf(privateKey),
      notBefore: new Date(begin),
      notAfter: new Date(Math.min(begin + YEAR_MS, issuer.notAfter)),
      extensions: [
        basicConstraints('end-entity'),
        keyUsage(DIGITAL_SIGNATURE),
        purposes([PURPOSES.serverAuth]),
        { type: EXTENSION.subjectAlternativeName, critical: false, value: sequence(...hosts.map(generalName)) },
      ],
    },
    issuer,
  );
  const chain = [leaf.der, issuer.certificate, ...authorities.bridge()];
  return {
    certPem: chain.map((certificate) => pem('CERTIFICATE', certificate)).join(''),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}

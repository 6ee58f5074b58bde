import { cpus } from 'node:os';
import { benchCertificates } from './certificates.ts';
import { benchEst } from './est.ts';
import { benchIdentity } from './identity.ts';
import { benchKeys } from './keys.ts';
import { benchRates } from './rates.ts';
import { benchReference } from './reference.ts';
import { benchMemory, benchStart } from './sandbox-run.ts';
import { benchTpm } from './tpm.ts';

const BENCHES: Readonly<Record<string, () => Promise<string>>> = {
  start: benchStart,
  memory: benchMemory,
  rates: benchRates,
  certificates: benchCertificates,
  est: benchEst,
  identity: benchIdentity,
  keys: benchKeys,
  tpm: benchTpm,
  reference: benchReference,
};

const HELP = `npm run bench [-- start | memory | rates | certificates | est | identity | keys | tpm | reference …]

  start   ten runs of the main job: time of each step
  memory  memory of each daemon once provisioned
  certificates  certd: issuance with file keys, reading beside bare node:http, 1,000 managed identities
  est  EST simulator: issuance over TLS beside a bare node:https handler with one P-256 verify and one sign
  identity  identityd: own identity beside bare node:http, 50 creations at once beside the hub alone, memory over 10,000 modules
  rates   requests per second of keyd beside bare node:http, in the same run
  tpm     tpmd: a signature on swtpm beside the raw TPM command and a bare node:http round trip; ten callers
  keys    what keyd must reach: signing beside the bare work, a token that is busy, 100,000 keys, memory, start
  reference  keyd and certd beside a release build of the reference, by turns; AZIOT_REFERENCE names the folder of its aziotd and
             libaziot_keys.so, and root runs it

Without a name all of them run (reference where AZIOT_REFERENCE is set), some minutes in all. Tables go to standard output as Markdown.
`;

const wanted = process.argv.slice(2);
if (wanted.includes('--help')) process.stdout.write(HELP);
else {
  const unknown = wanted.filter((name) => !Object.hasOwn(BENCHES, name));
  if (unknown.length > 0) {
    process.stderr.write(`bench: no bench is called ${unknown.join(', ')}\n\n${HELP}`);
    process.exitCode = 1;
  } else {
    process.stdout.write(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}\n\n`);
    const all = Object.keys(BENCHES).filter((name) => name !== 'reference' || process.env['AZIOT_REFERENCE']);
    for (const name of wanted.length > 0 ? wanted : all) {
      process.stdout.write(`## ${name}\n\n${await BENCHES[name]?.()}\n\n`);
    }
  }
}

import type { DaemonConfig } from '../../runner/index.ts';

/** Parts a recorded configuration: the main file, then `##### drop-in NAME` and its text, once a drop-in. */
export function parts(recorded: unknown): DaemonConfig {
  const [main = '', ...rest] = String(recorded).split(/^##### drop-in (\S+)(?: only)?$/m);
  const dropIns: Record<string, string> = {};
  for (let at = 0; at + 1 < rest.length; at += 2) dropIns[rest[at] ?? ''] = rest[at + 1] ?? '';
  return rest.length > 0 && main.trim() === '' ? { dropIns } : { main, dropIns };
}

const file = (name: string): string => `"file://@ROOT@/pre/${name}"`;

/** keyd with preloaded keys; the file of each is named beside it, below `pre`. */
export function keydConfig(
  preloaded: Readonly<Record<string, string>>,
  principals: readonly { readonly uid: number; readonly keys: readonly string[] }[] = [],
): DaemonConfig {
  const keys = Object.entries({ 'local-ca': 'local-ca.key', ...preloaded }).map(
    ([id, name]) => `${id} = ${file(name)}\n`,
  );
  const rights = principals.map(({ uid, keys: ids }) => `[[principal]]\nuid = ${uid}\nkeys = ${JSON.stringify(ids)}\n`);
  const main = `[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n[preloaded_keys]\n${keys.join('')}${rights.join('')}`;
  return { main };
}

/** certd whose local CA issues for these ids, days by id. */
export function certdConfig(
  issued: Readonly<Record<string, number>>,
  preloaded: Readonly<Record<string, string>> = {},
  principals: readonly { readonly uid: number; readonly certs: readonly string[] }[] = [],
): DaemonConfig {
  const certificates = Object.entries({ 'local-ca': 'local-ca.pem', ...preloaded }).map(
    ([id, name]) => `${id} = ${file(name)}\n`,
  );
  const issuance = Object.entries(issued).map(
    ([id, days]) => `[cert_issuance.${id}]\nmethod = "local_ca"\nexpiry_days = ${days}\n`,
  );
  const rights = principals.map(({ uid, certs }) => `[[principal]]\nuid = ${uid}\ncerts = ${JSON.stringify(certs)}\n`);
  const main = `homedir_path = "@ROOT@/certd/home"\n[preloaded_certs]\n${certificates.join('')}[cert_issuance.local_ca]\ncert = "local-ca"\npk = "local-ca"\n${issuance.join('')}${rights.join('')}`;
  return { main };
}

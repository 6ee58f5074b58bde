import { ecdsaBody, hmacBody, type KeydWorld, softHsmModule, startKeyd } from './keyd-world.ts';
import { ceiling, inProcess } from './processes.ts';
import { markdownTable, rateText } from './report.ts';

const SECONDS = 4;
const SIGN = '/sign?api-version=2021-05-01';

async function rsaBody(world: KeydWorld): Promise<string> {
  const { keyHandle } = await world.call('POST', '/keypair', { keyId: 'bench-rsa', preferredAlgorithms: 'rsa-2048' });
  return JSON.stringify({ keyHandle, algorithm: 'RSA-PKCS1', plaintext: Buffer.alloc(51, 1).toString('base64') });
}

interface Subject {
  readonly name: string;
  readonly socketPath: string;
  readonly target: string;
  readonly body: string;
  readonly method?: 'GET' | 'POST';
}

/** Rates of keyd beside bare node:http on a Unix socket, in the same run. */
export async function benchRates(): Promise<string> {
  const bare = await ceiling();
  const file = await startKeyd('file');
  const token = softHsmModule() ? await startKeyd('softhsm') : undefined;
  try {
    const hmac = await hmacBody(file);
    const subjects: Subject[] = [
      { name: 'bare node:http', socketPath: bare.socketPath, target: SIGN, body: hmac },
      {
        name: 'load key',
        socketPath: file.socketPath,
        target: '/key/bench-hmac?api-version=2021-05-01',
        body: '',
        method: 'GET',
      },
      { name: 'HMAC, file', socketPath: file.socketPath, target: SIGN, body: hmac },
      { name: 'ECDSA P-256, file', socketPath: file.socketPath, target: SIGN, body: await ecdsaBody(file) },
      {
        name: 'RSA-2048, file',
        socketPath: file.socketPath,
        target: SIGN.replace('sign', 'encrypt'),
        body: await rsaBody(file),
      },
    ];
    if (token) {
      subjects.push(
        { name: 'HMAC, SoftHSM', socketPath: token.socketPath, target: SIGN, body: await hmacBody(token) },
        { name: 'ECDSA P-256, SoftHSM', socketPath: token.socketPath, target: SIGN, body: await ecdsaBody(token) },
      );
    }
    const rows: string[][] = [];
    for (const keepAlive of [true, false]) {
      for (const connections of [1, 10]) {
        for (const { name, method = 'POST', ...where } of subjects) {
          const rate = await inProcess({ ...where, method, connections, keepAlive, seconds: SECONDS });
          process.stderr.write(
            `${name}, ${connections} callers, keep-alive ${keepAlive}: ${rateText(rate.requestsPerSecond)}/s\n`,
          );
          rows.push([
            name,
            String(connections),
            keepAlive ? 'kept' : 'new each',
            rateText(rate.requestsPerSecond),
            rate.p50.toFixed(2),
            rate.p99.toFixed(2),
            String(rate.failures),
          ]);
        }
      }
    }
    return markdownTable(['request', 'callers', 'connection', 'requests/s', 'p50 ms', 'p99 ms', 'failures'], rows);
  } finally {
    bare.close();
    await file.close();
    await token?.close();
  }
}

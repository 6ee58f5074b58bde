import { createHmac } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { request } from 'node:https';

/** What is to be created, and by whom: through identityd's socket, or straight at the hub by a bare client. */
interface Task {
  readonly socketPath?: string;
  readonly hub?: string;
  readonly rootPem: string;
  readonly modules: readonly string[];
}

const DEVICE_KEY = Buffer.alloc(32, 4);
const KEY = Buffer.alloc(32, 7).toString('base64');

function token(hub: string): string {
  const resource = `${hub}/devices/bench`;
  const expiry = Math.floor(Date.now() / 1000) + 300;
  const signature = createHmac('sha256', DEVICE_KEY).update(`${resource}\n${expiry}`).digest('base64');
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}`;
}

type Sending = ReturnType<typeof httpRequest>;

function ended(asking: Sending, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    asking.on('error', reject);
    asking.on('response', (answer) => {
      answer.resume();
      answer.on('end', () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode}`)),
      );
    });
    asking.end(body);
  });
}

/** The two requests of a creation, each on a connection of its own, as the reference's client sends them. */
async function atHub(hub: string, ca: string, moduleId: string): Promise<void> {
  const path = `/devices/bench/modules/${moduleId}?api-version=2017-11-08-preview`;
  const put = (body: string, more: Record<string, string>) => {
    const headers = {
      ...{ 'content-type': 'application/json', authorization: token(hub), ...more },
      'content-length': Buffer.byteLength(body),
    };
    const [host, port] = hub.split(':');
    return ended(request({ host, port, ca, path, method: 'PUT', agent: false, headers }), body);
  };
  const ids = { moduleId, deviceId: 'bench' };
  await put(JSON.stringify(ids), {});
  const symmetricKey = { primaryKey: KEY, secondaryKey: KEY };
  await put(JSON.stringify({ ...ids, authentication: { symmetricKey, type: 'sas' } }), { 'if-match': '*' });
}

function atDaemon(socketPath: string, moduleId: string): Promise<void> {
  const body = JSON.stringify({ type: 'aziot', moduleId });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const path = '/identities/modules?api-version=2022-08-01';
  return ended(httpRequest({ socketPath, path, method: 'POST', agent: false, headers }), body);
}

// Creates all modules at the same time and tells how long that took, milliseconds. The task comes as JSON on standard input.
let text = '';
for await (const chunk of process.stdin) text += chunk;
const { socketPath, hub = '', rootPem, modules } = JSON.parse(text) as Task;
const begin = performance.now();
await Promise.all(modules.map((id) => (socketPath ? atDaemon(socketPath, id) : atHub(hub, rootPem, id))));
process.stdout.write(JSON.stringify(performance.now() - begin));

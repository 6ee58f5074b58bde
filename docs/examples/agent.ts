// Sends one message to the hub as the module of the calling user: node agent.ts RUN_DIR CA_FILE. Needs Node 24 alone.
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';

const [run = '', ca = ''] = process.argv.slice(2);

interface Identity {
  readonly spec: {
    readonly hubName: string;
    readonly gatewayHost: string;
    readonly deviceId: string;
    readonly moduleId: string;
    readonly auth: { readonly keyHandle: string };
  };
}

/** A request to a daemon's Unix socket; the JSON of its answer. */
async function ask(daemon: string, method: string, path: string, body?: object): Promise<unknown> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = body ? { 'content-type': 'application/json' } : {};
    const asking = request({ socketPath: `${run}/${daemon}.sock`, method, path, headers }, resolve);
    asking.on('error', reject).end(body && JSON.stringify(body));
  });
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  if (answer.statusCode !== 200) throw new Error(`${daemon} answered ${answer.statusCode}: ${text}`);
  return JSON.parse(text);
}

const { spec } = (await ask('identityd', 'GET', '/identities/identity?api-version=2020-09-01')) as Identity;
const name = `devices/${spec.deviceId}/modules/${spec.moduleId}`;
const resource = encodeURIComponent(`${spec.hubName}/${name}`);
const expiry = Math.floor(Date.now() / 1000) + 3600;
const message = Buffer.from(`${resource}\n${expiry}`).toString('base64');
const wish = { keyHandle: spec.auth.keyHandle, algorithm: 'HMAC-SHA256', parameters: { message } };
const { signature } = (await ask('keyd', 'POST', '/sign?api-version=2020-09-01', wish)) as { signature: string };
const authorization = `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}`;

const url = `https://${spec.gatewayHost}/${name}/messages/events?api-version=2020-03-13`;
const headers = { authorization, 'content-type': 'application/json' };
secureRequest(url, { method: 'POST', headers, ca: readFileSync(ca) }, (answer) => {
  console.log(answer.statusCode);
  answer.resume();
}).end('{"temperature": 21}');

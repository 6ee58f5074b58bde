// Sends one message to the hub as the device of an X.509 provisioning: node x509-agent.ts RUN_DIR CA_FILE. Needs Node 24 and, in the
// folder that OPENSSL_ENGINES names, aziot_keys.so. The device's private key stays in keyd, which signs the TLS handshake.
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';

const [run = '', ca = ''] = process.argv.slice(2);
process.env['AZIOT_KEYD_SOCKET'] = `${run}/keyd.sock`;

interface Identity {
  readonly spec: {
    readonly gatewayHost: string;
    readonly deviceId: string;
    readonly auth: { readonly type: string; readonly keyHandle: string; readonly certId: string };
  };
}

/** What a daemon answers to a GET on its Unix socket. */
async function ask(daemon: string, path: string): Promise<unknown> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ socketPath: `${run}/${daemon}.sock`, path: `${path}?api-version=2020-09-01` }, resolve)
      .on('error', reject)
      .end();
  });
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  if (answer.statusCode !== 200) throw new Error(`${daemon} answered ${answer.statusCode}: ${text}`);
  return JSON.parse(text);
}

const { spec } = (await ask('identityd', '/identities/identity')) as Identity;
if (spec.auth.type !== 'x509') throw new Error(`the device is provisioned by ${spec.auth.type}, not by X.509`);
const { pem } = (await ask('certd', `/certificates/${encodeURIComponent(spec.auth.certId)}`)) as { pem: string };

const url = `https://${spec.gatewayHost}/devices/${spec.deviceId}/messages/events?api-version=2020-03-13`;
const secrets = { cert: pem, privateKeyEngine: 'aziot_keys', privateKeyIdentifier: spec.auth.keyHandle };
const headers = { 'content-type': 'application/json' };
secureRequest(url, { method: 'POST', headers, ca: readFileSync(ca), ...secrets }, (answer) => {
  console.log(answer.statusCode);
  answer.resume();
}).end('{"temperature": 21}');

import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createTestPki } from '../simulators/common/index.ts';

// The ceiling: bare node:https that reads the body, does one P-256 verify and one sign, and answers a text of the size of an enrolment's.
const ANSWER_BYTES = 900;
const { certPem, keyPem } = await (await createTestPki()).issueServerCertificate({ hosts: ['localhost'] });
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const message = Buffer.alloc(300, 7);
const signature = sign('sha256', message, privateKey);
const answer = 'A'.repeat(ANSWER_BYTES);
const server = createServer(
  { cert: certPem, key: keyPem, requestCert: true, rejectUnauthorized: false },
  (request, response) => {
    request.resume();
    request.on('end', () => {
      const genuine = verify('sha256', message, publicKey, signature);
      sign('sha256', message, privateKey);
      response.writeHead(genuine ? 200 : 500, { 'content-type': 'text/plain', 'content-length': ANSWER_BYTES });
      response.end(answer);
    });
  },
).listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ url: `https://localhost:${(server.address() as AddressInfo).port}/x` })}\n`);
});

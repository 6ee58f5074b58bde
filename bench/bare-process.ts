import { createHmac, createSecretKey, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';

// What keyd is measured against: bare node:http that reads the same JSON and does the same work. argv: socket path, `hmac` or `ecdsa`.
const secret = createSecretKey(Buffer.alloc(32, 1));
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

interface SignBody {
  readonly parameters: { readonly message?: string; readonly digest?: string };
}

function hmac({ parameters }: SignBody): Buffer {
  return createHmac('sha256', secret)
    .update(Buffer.from(parameters.message ?? '', 'base64'))
    .digest();
}

const ecdsa = ({ parameters }: SignBody): Buffer =>
  sign('sha256', Buffer.from(parameters.digest ?? '', 'base64'), privateKey);

const work = process.argv[3] === 'ecdsa' ? ecdsa : hmac;

createServer({ requireHostHeader: false }, (request, response) => {
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    text += chunk;
  });
  request.on('end', () => {
    const answer = JSON.stringify({ signature: work(JSON.parse(text) as SignBody).toString('base64') });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) });
    response.end(answer);
  });
}).listen(process.argv[2]);

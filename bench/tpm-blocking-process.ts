import { createServer } from 'node:http';
import { openCommand } from './tpm-command.ts';

// The least that a service over node:http can take for a TPM command: a handler that blocks its event loop for it, as no daemon may.
// argv: socket path, TCTI, answer.
const [path = '', conf = '', answer = ''] = process.argv.slice(2);
const command = openCommand(conf);
createServer({ requireHostHeader: false }, (request, response) => {
  request.resume();
  request.on('end', () => {
    command();
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) });
    response.end(answer);
  });
}).listen(path);

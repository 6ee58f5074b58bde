import { createServer } from 'node:http';

// The ceiling: bare node:http that reads the body and answers a fixed text: the one given, or one of the size of a signature answer.
const answer = process.argv[3] ?? JSON.stringify({ signature: Buffer.alloc(32).toString('base64') });
createServer({ requireHostHeader: false }, (request, response) => {
  request.resume();
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) });
    response.end(answer);
  });
}).listen(process.argv[2]);

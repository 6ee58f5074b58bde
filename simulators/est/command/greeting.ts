import type { ClientFiles } from './files.ts';

/** Where everything is, once the server is up. */
export interface Whereabouts {
  readonly url: string;
  readonly controlUrl: string;
  readonly files: ClientFiles;
}

/** What the command prints for a person. */
export function greeting({ url, controlUrl, files }: Whereabouts): string {
  return `EST      ${url}
control  ${controlUrl}
root     ${files.rootPem}   (trust this for the server)
issuer   ${files.caPem}   (verify issued certificates by this)
client   ${files.bootstrapPem}, ${files.bootstrapKey}   (a first identity)

  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj /CN=dev-01 -outform DER | base64 > csr.b64
  curl --cacert ${files.rootPem} --cert ${files.bootstrapPem} --key ${files.bootstrapKey} \\
       -H 'content-type: application/pkcs10' --data-binary @csr.b64 ${url}/simpleenroll | base64 -d | openssl pkcs7 -inform DER -print_certs
  curl ${controlUrl}/journal

Ctrl-C stops it.
`;
}

/** The same for a program: one JSON object. */
export function greetingJson({ url, controlUrl, files }: Whereabouts): string {
  return `${JSON.stringify({ url, controlUrl, ...files, pid: process.pid })}\n`;
}

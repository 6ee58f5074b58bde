/** The bodies that an EST server may send for certificates, right and wrong ones (fixtures/golden/est-wire.json, `quirks.body`). */
export type BodyForm =
  | 'wrapped'
  | 'crlf'
  | 'pem'
  | 'der'
  | 'html'
  | 'empty'
  | 'badbase64'
  | 'nocerts'
  | 'emptycerts'
  | 'nocontent'
  | 'data';

const DATA = Buffer.from('06092a864886f70d010701', 'hex');
const SIGNED_DATA = Buffer.from('06092a864886f70d010702', 'hex');
const VERSION = Buffer.from('020101', 'hex');

function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length = content.length;
  const octets =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, Math.floor(length / 256), length % 256];
  return Buffer.concat([Buffer.from([tag, ...octets]), content]);
}

/** certs-only signedData (RFC 5652 5.1); `certificates` undefined leaves the field out. */
function signedData(certificates: readonly Uint8Array[] | undefined): Buffer {
  const field = certificates === undefined ? [] : [element(0xa0, ...certificates)];
  const content = element(0x30, VERSION, element(0x31), element(0x30, DATA), ...field, element(0x31));
  return element(0x30, SIGNED_DATA, element(0xa0, content));
}

function messageOf(form: BodyForm | undefined, certificates: readonly Uint8Array[]): Buffer {
  if (form === 'nocerts') return signedData(undefined);
  if (form === 'emptycerts') return signedData([]);
  if (form === 'nocontent') return element(0x30, SIGNED_DATA);
  if (form === 'data') return element(0x30, DATA, element(0xa0, element(0x04)));
  return signedData(certificates);
}

const wrap = (text: string, width: number, end: string): string =>
  text.replace(new RegExp(`.{1,${width}}`, 'g'), `$&${end}`);

/** The body of an answer with these certificates (DER); unwrapped base64 unless a form says otherwise. */
export function bodyOf(form: BodyForm | undefined, certificates: readonly Uint8Array[]): Buffer {
  const der = messageOf(form, certificates);
  const base64 = der.toString('base64');
  const texts: Partial<Record<BodyForm, string>> = {
    wrapped: wrap(base64, 64, '\n'),
    crlf: wrap(base64, 76, '\r\n'),
    pem: `-----BEGIN PKCS7-----\n${wrap(base64, 64, '\n')}-----END PKCS7-----\n`,
    html: '<html><body>no</body></html>',
    empty: '',
    badbase64: `${base64.slice(0, -3)}*`,
  };
  if (form === 'der') return der;
  return Buffer.from(form === undefined ? base64 : (texts[form] ?? base64));
}

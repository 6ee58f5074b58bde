const PEM_PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----/;
/** A PEM file that was cut off in its first line. */
const CUT_OFF_PEM = /^-{5}BEGIN [A-Z0-9 ]{0,52}-{0,4}$/;

/** Whether bytes are meant as a PEM private key, a cut-off one too. */
export function looksLikePrivateKey(bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  return PEM_PRIVATE_KEY.test(text) || CUT_OFF_PEM.test(text);
}

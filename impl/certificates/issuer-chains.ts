import { type Certificate, parseChain } from '../x509/index.ts';

const MOST_CHAINS = 16;
const chains = new Map<string, readonly Certificate[]>();

/** As `parseChain`, which it calls once for the same text: an issuer's chain is read at each issuance and hardly ever changes. */
export function issuerChain(pem: string): readonly Certificate[] {
  const known = chains.get(pem);
  if (known) return known;
  const chain = parseChain(pem);
  chains.set(pem, chain);
  const oldest = chains.size > MOST_CHAINS ? chains.keys().next().value : undefined;
  if (oldest !== undefined) chains.delete(oldest);
  return chain;
}

/** One PEM block: its label and decoded bytes. */
export interface PemBlock {
  readonly label: string;
  readonly der: Buffer;
}

/** Raised when a PEM block is cut or its base64 is damaged. */
export class PemError extends Error {
  override readonly name = 'PemError';
}

const BEGIN = /^-----BEGIN ([A-Z0-9 ]+)-----[ \t]*$/;
const BASE64_TEXT = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Reads the PEM blocks whose label is wanted, in order (RFC 7468). Text outside blocks, CRLF, and blocks of other labels are skipped.
 * A begin line must start its line, so two blocks joined without a newline are an error, not one block.
 *
 * @throws PemError when a wanted block has no end line or no strict base64.
 */
export function readPem(text: string, labels: readonly string[]): PemBlock[] {
  const lines = text.split(/\r\n|\n|\r/);
  const blocks: PemBlock[] = [];
  for (let at = 0; at < lines.length; at++) {
    const label = BEGIN.exec(lines[at] ?? '')?.[1];
    if (label === undefined || !labels.includes(label)) continue;
    const end = lines.findIndex((line, index) => index > at && line.startsWith('-----'));
    if (end < 0 || lines[end]?.trimEnd() !== `-----END ${label}-----`) {
      throw new PemError(`PEM block "${label}" has no end line of its own; mend the file`);
    }
    const body = lines
      .slice(at + 1, end)
      .join('')
      .replace(/[ \t]/g, '');
    if (!BASE64_TEXT.test(body)) throw new PemError(`PEM block "${label}" holds damaged base64`);
    blocks.push({ label, der: Buffer.from(body, 'base64') });
    at = end;
  }
  return blocks;
}

/** Writes one block in lines of 64 characters that end in LF, the last line too. */
export function writePem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

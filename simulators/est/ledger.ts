import type { Revocation, RevocationReason } from './crl.ts';

const MOST_RECORDS = 10_000;

/** A certificate that was issued. */
export interface IssuedRecord {
  /** Upper-case hex. */
  readonly serial: string;
  /** For people: `CN=dev-01, O=TEST ONLY`. */
  readonly subject: string;
  readonly ca: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly der: Buffer;
}

/** What was issued, the newest 10,000, and what was revoked of it. */
export class Ledger {
  readonly #issued = new Map<string, IssuedRecord>();
  readonly #revoked = new Map<string, Revocation & { readonly ca: string }>();
  #total = 0;

  /** How many were issued in all. */
  get total(): number {
    return this.#total;
  }

  add(record: IssuedRecord): void {
    this.#total++;
    this.#issued.set(record.serial, record);
    const [oldest] = this.#issued.keys();
    if (this.#issued.size > MOST_RECORDS && oldest !== undefined) this.#issued.delete(oldest);
  }

  /** Oldest first. */
  list(): IssuedRecord[] {
    return [...this.#issued.values()];
  }

  find(serial: string): IssuedRecord | undefined {
    return this.#issued.get(serial.toUpperCase());
  }

  /** Revokes one of the newest 10,000. */
  revoke(serial: string, reason: RevocationReason, time: number): 'revoked' | 'unknown' {
    const record = this.find(serial);
    if (!record) return 'unknown';
    this.#revoked.set(record.serial, { serial: record.serial, time, reason, ca: record.ca });
    return 'revoked';
  }

  isRevoked(serial: string): boolean {
    return this.#revoked.has(serial.toUpperCase());
  }

  revocations(ca: string): Revocation[] {
    return [...this.#revoked.values()].filter((revocation) => revocation.ca === ca);
  }
}

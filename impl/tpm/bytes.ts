/** A structure that ends too early, or a number that does not fit. */
export class MarshalError extends Error {
  override readonly name = 'MarshalError';
}

/** A number as big-endian bytes. */
export function u8(value: number): Buffer {
  return Buffer.from([value]);
}
export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** TPM2B: a 16-bit size, then the bytes. Throws {@link MarshalError} beyond 65535 bytes. */
export function sized(bytes: Uint8Array): Buffer {
  if (bytes.length > 0xffff) throw new MarshalError(`${bytes.length} bytes do not fit a TPM2B`);
  return Buffer.concat([u16(bytes.length), bytes]);
}

/** Reads big-endian numbers and sized buffers one after the other. Throws {@link MarshalError} at the end of the bytes. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  take(size: number): Buffer {
    if (size > this.left) {
      throw new MarshalError(
        `mu:A buffer isn't large enough: ${size} bytes wanted at offset ${this.#at}, ${this.left} left`,
      );
    }
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  u16(): number {
    return this.take(2).readUInt16BE();
  }

  u32(): number {
    return this.take(4).readUInt32BE();
  }

  /** The content of a TPM2B. */
  sized(): Buffer {
    return this.take(this.u16());
  }
}

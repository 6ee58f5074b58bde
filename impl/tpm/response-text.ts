import koffi from 'koffi';

type Decode = (code: number) => string;
let decoder: Decode | undefined;

/** `Tss2_RC_Decode` of the TSS where its library is installed; the number alone otherwise. */
function loadDecoder(): Decode {
  try {
    return koffi.load('libtss2-rc.so.0').func('const char *Tss2_RC_Decode(uint32_t code)') as unknown as Decode;
  } catch {
    return () => 'response code';
  }
}

/** A TPM or TSS response code in words and as a number: `tpm:handle(1):the handle is not correct for the use (0x18b)`. */
export function responseText(code: number): string {
  decoder ??= loadDecoder();
  return `${decoder(code)} (0x${code.toString(16)})`;
}

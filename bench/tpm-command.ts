import koffi from 'koffi';

const SUCCESS = 0;
const LONGEST_RESPONSE_BYTES = 4096;
/** TPM2_HMAC with the key at 0x81000100 over `hello`, by SHA-256, with the empty password. */
const COMMAND = Buffer.from('800200000024000001558100010000000009400000090000000000000568656c6c6f000b', 'hex');

const loader = koffi.load('libtss2-tctildr.so.0');
const initialize = loader.func('uint32_t Tss2_TctiLdr_Initialize(const char *conf, _Out_ void **context)');
const transmitType = koffi.proto('uint32_t BenchTransmit(void *context, size_t size, const uint8_t *command)');
const receiveType = koffi.proto(
  'uint32_t BenchReceive(void *context, _Inout_ size_t *size, uint8_t *response, int32_t timeout)',
);
const contextType = koffi.struct('BenchTcti', {
  magic: 'uint64_t',
  version: 'uint32_t',
  transmit: 'void *',
  receive: 'void *',
});

/** TPM2_HMAC through the TCTI library alone, blocking, with nothing around it. Throws where the TPM refuses. */
export function openCommand(conf: string): () => void {
  const slot: unknown[] = [null];
  if (initialize(conf, slot) !== SUCCESS) throw new Error(`could not open TCTI ${conf}`);
  const members = koffi.decode(slot[0], contextType) as { readonly transmit: unknown; readonly receive: unknown };
  const transmit = koffi.decode(members.transmit, transmitType) as (...args: unknown[]) => number;
  const receive = koffi.decode(members.receive, receiveType) as (...args: unknown[]) => number;

  const room = Buffer.alloc(LONGEST_RESPONSE_BYTES);
  return () => {
    const size = [room.length];
    if (transmit(slot[0], COMMAND.length, COMMAND) !== SUCCESS) throw new Error('transmit');
    if (receive(slot[0], size, room, -1) !== SUCCESS) throw new Error('receive');
    if (room.readUInt32BE(6) !== SUCCESS) throw new Error(`the TPM answered 0x${room.readUInt32BE(6).toString(16)}`);
  };
}

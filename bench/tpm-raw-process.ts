import koffi from 'koffi';

// What tpmd is measured against: the same TPM2_HMAC through the same TCTI library, one after the other, with nothing around it.
// argv: TCTI, seconds. Prints JSON: milliseconds p50 and p99.
const [conf = '', seconds = '1'] = process.argv.slice(2);
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

const slot: unknown[] = [null];
if (initialize(conf, slot) !== SUCCESS) throw new Error(`could not open TCTI ${conf}`);
const members = koffi.decode(slot[0], contextType) as { readonly transmit: unknown; readonly receive: unknown };
const transmit = koffi.decode(members.transmit, transmitType) as (...args: unknown[]) => number;
const receive = koffi.decode(members.receive, receiveType) as (...args: unknown[]) => number;

const room = Buffer.alloc(LONGEST_RESPONSE_BYTES);
function command(): void {
  const size = [room.length];
  if (transmit(slot[0], COMMAND.length, COMMAND) !== SUCCESS) throw new Error('transmit');
  if (receive(slot[0], size, room, -1) !== SUCCESS) throw new Error('receive');
  if (room.readUInt32BE(6) !== SUCCESS) throw new Error(`the TPM answered 0x${room.readUInt32BE(6).toString(16)}`);
}

const times: number[] = [];
const until = performance.now() + Number(seconds) * 1000;
while (performance.now() < until) {
  const begin = performance.now();
  command();
  times.push(performance.now() - begin);
}
times.sort((a, b) => a - b);
const at = (share: number) => times[Math.floor(times.length * share)];
process.stdout.write(JSON.stringify({ p50: at(0.5), p99: at(0.99) }));

import { openCommand } from './tpm-command.ts';

// What tpmd is measured against: the same TPM2_HMAC through the same TCTI library, one after the other, with nothing around it.
// argv: TCTI, seconds. Prints JSON: milliseconds p50 and p99.
const [conf = '', seconds = '1'] = process.argv.slice(2);
const command = openCommand(conf);

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

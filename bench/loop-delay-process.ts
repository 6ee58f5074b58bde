import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

// Loaded into keyd by --import: writes how late its event loop was, in milliseconds, to the file LOOP_DELAY_FILE at SIGUSR2, and begins anew.
const file = process.env['LOOP_DELAY_FILE'];
if (file !== undefined && process.argv[1]?.endsWith('bin/main.ts') === true) {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  process.on('SIGUSR2', () => {
    const ms = (nanoseconds: number) => nanoseconds / 1e6;
    writeFileSync(file, JSON.stringify({ p50: ms(histogram.percentile(50)), p99: ms(histogram.percentile(99)) }));
    histogram.reset();
  });
}

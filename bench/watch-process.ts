import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

// Loaded into keyd by --import, with --expose-gc: at SIGUSR2 it writes to the file WATCH_FILE how late the event loop was since the last
// time, in milliseconds, and what is alive on the heap, in MiB.
const file = process.env['WATCH_FILE'];
if (file !== undefined && /bin\/(build\/)?main\.[jt]s$/.test(process.argv[1] ?? '')) {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  process.on('SIGUSR2', () => {
    const [p50, p99] = [50, 99].map((share) => histogram.percentile(share) / 1e6);
    globalThis.gc?.();
    writeFileSync(file, JSON.stringify({ p50, p99, heapMib: process.memoryUsage().heapUsed / 2 ** 20 }));
    histogram.reset();
  });
}

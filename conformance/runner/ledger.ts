import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The file in which all processes of a run count what they send to a live service: a byte for each request. */
export interface Ledger {
  readonly path: string;
  sent(): Promise<number>;
  close(): Promise<void>;
}

/** Begins a ledger that is empty. */
export async function openLedger(): Promise<Ledger> {
  const folder = await mkdtemp(join(tmpdir(), 'aziot-conformance-run-'));
  const path = join(folder, 'ledger');
  const sent = () =>
    stat(path).then(
      ({ size }) => size,
      () => 0,
    );
  return { path, sent, close: () => rm(folder, { recursive: true }) };
}

import { readFileSync } from 'node:fs';
import { loadGolden, type RecordedExchange } from '../runner/index.ts';

/** A start of tpmd that was recorded, in its members. */
interface RecordedStart {
  readonly id: string;
  readonly config: string;
  readonly result: 'started' | { readonly exit: number };
  readonly [member: string]: unknown;
}

/** A command on the way to the TPM, hex both. */
export interface RecordedCommand {
  readonly command: string;
  readonly request: string;
  readonly response: string;
}

/** A blob with the keys and random values that made it. */
export interface Vector {
  readonly endorsement_key: string;
  readonly storage_root_key: string;
  readonly hmacKey: string;
  readonly random: Readonly<Record<string, string>>;
  readonly parts: readonly string[];
  readonly blob: string;
  readonly srkName: string;
  readonly authKeyName: string;
}

interface Recording {
  readonly starts: readonly RecordedStart[];
  readonly start_wire: readonly RecordedCommand[];
  readonly import_wire: readonly RecordedCommand[];
  readonly sign_wire: readonly RecordedCommand[];
  readonly part_lengths: readonly number[];
  readonly vectors: {
    readonly software: Vector & { readonly ekPrivate: string; readonly srkPrivate: string };
    readonly swtpm: Vector & { readonly swtpmState: string; readonly signHello: string };
  };
}

const FILE = new URL('../../fixtures/golden/tpm.json', import.meta.url);

/** What golden/tpm.json holds beside its exchanges. */
export const recording = JSON.parse(readFileSync(FILE, 'utf8')) as Recording;

/** Which exchange came after a start, or after the starts that were recorded from that one on to the next that is named here. */
const FIRST_EXCHANGE: Readonly<Record<string, string>> = {
  'fresh-tpm': 'get-keys',
  'restart-with-key': 'sign-after-restart-5',
  'ek-recreated': 'get-keys-ek-recreated',
  'foreign-rsa-in-auth-slot': 'sign-foreign',
  'restart-adopts-slot': 'import-adopted',
  'port-default-conf': 'import-config-changed',
  'index-5': 'import-index-5',
  'owner-auth-set-not-configured-keys-present': 'import-owner-auth-missing',
  'owner-auth-configured': 'import-owner-auth',
  'owner-auth-wrong-srk-missing': 'import-endorsement-auth-missing',
  'endorsement-auth-configured': 'import-endorsement-auth',
  'made-by-tpm2-tools': 'get-keys-tools',
  'ec-key-at-ek-handle': 'get-keys-ec-ek',
  'vector-state': 'direct-sign',
};

function startsBefore(): Map<string, RecordedExchange[]> {
  const places = new Map<string, RecordedExchange[]>();
  let place: RecordedExchange[] = [];
  for (const start of recording.starts) {
    const exchange = FIRST_EXCHANGE[start.id];
    if (exchange !== undefined) {
      place = [];
      places.set(exchange, place);
    }
    place.push({ id: `start/${start.id}`, section: 'start', facts: start });
  }
  return places;
}

/** The starts and exchanges in the order in which they were recorded, then what was recorded of the wire and the vectors. */
export async function recordedSteps(): Promise<RecordedExchange[]> {
  const places = startsBefore();
  const steps = (await loadGolden('tpm')).flatMap((exchange) => [...(places.get(exchange.id) ?? []), exchange]);
  const further = ['wire/start', 'wire/import', 'wire/sign', 'vectors/software', 'vectors/swtpm'];
  return [...steps, ...further.map((id) => ({ id, section: id.split('/')[0] ?? '', facts: {} }))];
}

import { CachedFiles } from '../files/index.ts';
import { type FileContent, readContent } from './file-content.ts';
import type { KeyCensus } from './key-census.ts';

const LARGEST_KEY_FILE_BYTES = 1024 * 1024;

/** Parsed key files; see {@link CachedFiles}. Their bytes are wiped once they are parsed. */
export class FileCache extends CachedFiles<FileContent> {
  /** Absent where no home folder is configured. */
  readonly census: KeyCensus | undefined;

  /** @param now milliseconds since the epoch. */
  constructor(now: () => number, census?: KeyCensus) {
    super({
      what: 'key file',
      largestBytes: LARGEST_KEY_FILE_BYTES,
      absent: { kind: 'absent' },
      now,
      parse(bytes) {
        const content = readContent(bytes);
        bytes.fill(0);
        return content;
      },
    });
    this.census = census;
  }

  override forget(path: string): void {
    super.forget(path);
    this.census?.forget(path);
  }

  override close(): void {
    super.close();
    this.census?.close();
  }
}

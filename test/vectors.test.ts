import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const VECTORS = join(import.meta.dirname, '../fixtures/vectors');
const python = spawnSync('python3', ['--version']).status === 0;

describe.skipIf(!python)(
  'the vectors, computed by another language (python3 is not installed where this is skipped)',
  () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'vectors-'));
      cpSync(VECTORS, folder, { recursive: true });
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    test('are computed alike, file by file', () => {
      const text = execFileSync('python3', [join(folder, 'check.py')], { encoding: 'utf8' });
      expect(text.match(/^\S+\.json: computed alike$/gm)).toHaveLength(6);
    });

    test('a value that is wrong is named', () => {
      const file = join(folder, 'device-keys.json');
      writeFileSync(file, readFileSync(file, 'utf8').replace('u9S0', 'u9S1'));
      const { status, stderr } = spawnSync('python3', [join(folder, 'check.py')], { encoding: 'utf8' });
      expect(status).toBe(1);
      expect(stderr).toContain("key of device dev-01: computed 'u9S0bQ0P");
    });
  },
);

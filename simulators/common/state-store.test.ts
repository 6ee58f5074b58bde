import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openStateStore } from './index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('what was put is there after SIGKILL of the process that put it', async () => {
  const store = JSON.stringify(join(import.meta.dirname, 'state-store.ts'));
  const program = `import { openStateStore } from ${store};
    const store = openStateStore({ stateDir: ${JSON.stringify(folder)} });
    store.put('devices', 'a', { id: 'a' });
    process.stdout.write('put');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const store2 = openStateStore({ stateDir: folder });
  expect(store2.get('devices', 'a')).toEqual({ id: 'a' });
  store2.close();
});

it('its files are for the owner alone', () => {
  const store = openStateStore({ stateDir: folder });
  store.put('devices', 'a', { key: 'secret' });
  const modes = readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mode & 0o777]);
  expect(modes.length).toBeGreaterThan(0);
  for (const [, mode] of modes) expect(mode).toBe(0o600);
  store.close();
});

import { expect, test } from 'vitest';
import { killAndLook } from './support/certificate-kills.ts';

test('six SIGKILLs of keyd and certd during renewals over TLS cost no identity', async () => {
  expect(await killAndLook({ times: 6, seed: 11 })).toBeGreaterThan(1);
});

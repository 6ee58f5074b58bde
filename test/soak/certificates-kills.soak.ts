import { expect, test } from 'vitest';
import { killAndLook } from '../support/certificate-kills.ts';

test('fifty SIGKILLs of keyd and certd during renewals over TLS cost no identity', async () => {
  expect(await killAndLook({ times: 50, seed: 5 })).toBeGreaterThan(10);
});

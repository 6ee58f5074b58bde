import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AwkwardToken, KeydCaller } from './awkward-pkcs11/awkward-token.ts';
import { Device, softHsmModule } from './support/device.ts';

let device: Device;
let token: AwkwardToken;
let keyd: KeydCaller;
beforeEach(() => {
  device = new Device();
  keyd = new KeydCaller(device);
});
afterEach(() => device.close());

const configure = (parameters: string, more = '') =>
  device.configure('keyd', `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\n${parameters}\n${more}`);

describe.skipIf(!softHsmModule)('a wrong PIN (skipped without SoftHSM)', () => {
  it('KS-097: one login is tried, whatever is asked, until the configuration has another PIN; no restart is needed', async () => {
    token = new AwkwardToken(device, '9999');
    configure(token.parameters);
    await device.start('keyd');
    const refused = await Promise.all(Array.from({ length: 8 }, (_, at) => keyd.key(`k${at}`)));
    expect(refused.map(({ status }) => status)).toEqual(Array(8).fill(500));
    expect((await keyd.pair('p')).status).toBe(500);
    expect(token.results('C_Login')).toEqual(['0xa0']);
    // another host process does not try either
    token.order('crash C_OpenSession');
    configure(token.parameters, '[[principal]]\nuid = 4001\nkeys = ["*"]');
    await device.logged('keyd', /the principals were read again/);
    expect((await keyd.pair('p')).status).toBe(500);
    expect(token.results('C_Login')).toEqual(['0xa0']);
    token.order();
    configure(token.parameters.replace('9999', '1234'));
    await device.logged('keyd', /the principals and the PINs were read again/);
    expect((await keyd.pair('p')).status).toBe(200);
    expect(token.results('C_Login')).toEqual(['0xa0', '0x0']);
    expect(device.log('keyd').match(/refused the PIN; no other login is tried/g)).toHaveLength(1);
    expect(device.log('keyd')).not.toMatch(/9999|1234/);
    expect(await keyd.counters()).toMatchObject({ pin_refusals: 1 });
  });
});

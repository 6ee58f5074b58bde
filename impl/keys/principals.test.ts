import { describe, expect, it } from 'vitest';
import { ROOT, toUid } from '../ipc/index.ts';
import { Principals } from './principals.ts';

const MASTER = 'aziot_identityd_master_id';
const ID_SERVICE = toUid(1001);
const AGENT = toUid(1002);

describe("identityd's master key", () => {
  it('a wildcard counts while nobody names the id, with a warning', () => {
    const principals = new Principals([{ uid: AGENT, keys: ['aziot_*'] }]);
    expect(principals.allows(AGENT, MASTER)).toBe(true);
    expect(principals.warnings).toEqual([
      expect.stringMatching(/principal 1002 cover "aziot_identityd_master_id" by a wildcard; name/),
    ]);
  });

  it.each(['*', 'aziot_*', 'aziot?identityd_master_id'])(
    '%s does not count when another principal names the id',
    (pattern) => {
      const principals = new Principals([
        { uid: AGENT, keys: [pattern] },
        { uid: ID_SERVICE, keys: ['device-id'] },
        { uid: ID_SERVICE, keys: [MASTER] },
      ]);
      expect(principals.allows(AGENT, MASTER)).toBe(false);
      expect(principals.allows(ID_SERVICE, MASTER)).toBe(true);
      expect(principals.allows(ROOT, MASTER)).toBe(true);
      expect(principals.allows(AGENT, 'aziot_identityd_master_ix')).toBe(pattern !== 'aziot?identityd_master_id');
      expect(principals.warnings).toEqual([expect.stringMatching(/principal 1002 .* does not count/)]);
    },
  );

  it('no warning where every uid that covers it names it, or none does', () => {
    expect(new Principals([{ uid: AGENT, keys: ['*', MASTER] }]).warnings).toEqual([]);
    expect(new Principals([{ uid: AGENT, keys: ['device-*'] }]).warnings).toEqual([]);
  });
});

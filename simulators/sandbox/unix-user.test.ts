import { describe, expect, it } from 'vitest';
import { findUser, hostUser } from './unix-user.ts';

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nagent:x:998:997::/home/agent:/bin/false\n';

describe('the user of the host process', () => {
  it('is found by name and by number', () => {
    expect(findUser(PASSWD, 'agent')).toEqual({ name: 'agent', uid: 998, gid: 997 });
    expect(findUser(PASSWD, '998')).toEqual({ name: 'agent', uid: 998, gid: 997 });
    expect(findUser(PASSWD, 'other')).toBeUndefined();
  });

  it('is nobody for root', async () => {
    expect(await hostUser(undefined, 0)).toMatchObject({ uid: 65534 });
  });

  it('is the caller for everybody else, and may be nobody else', async () => {
    expect(await hostUser(undefined, 4321)).toEqual({ name: '4321', uid: 4321, gid: 4321 });
    await expect(hostUser('0', 4321)).rejects.toThrow(/only root can act as the user root/);
  });

  it('must exist when named', async () => {
    await expect(hostUser('no-such-user', 0)).rejects.toThrow(/no user is called "no-such-user".*useradd/);
  });
});

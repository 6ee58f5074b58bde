import { beforeEach, describe, expect, test } from 'vitest';
import { enrol, good, posts, renewWorld, URL_BASE, world } from './testing/client-world.ts';

beforeEach(renewWorld);

describe('redirects', () => {
  const to = (status: number, location: string) => () => ({ status, headers: { location } });

  test.each([307, 308])('%i on the same origin is followed with the same request and credentials', async (status) => {
    world.answers.simpleenroll = [to(status, '/moved/simpleenroll'), () => good(world.leaf)];
    await enrol({ basic: { username: 'u', password: 'p' } });
    const [first, second] = posts();
    expect(second?.url).toBe('https://est.example:8443/moved/simpleenroll');
    expect([second?.body, second?.headers]).toEqual([first?.body, first?.headers]);
  });

  test('a CA list may also be elsewhere by 302', async () => {
    world.answers.cacerts = [to(302, `${URL_BASE}/other/cacerts`), () => good(world.ca)];
    expect(await enrol()).toHaveLength(2);
  });

  test.each([
    ['EST-020 another host', 'https://elsewhere.example:8443/.well-known/est/simpleenroll'],
    ['another port', 'https://est.example/x'],
    ['no TLS', 'http://est.example:8443/x'],
    ['no address', 'https://['],
  ])('%s is an error and is not contacted', async (_name, location) => {
    world.answers.simpleenroll = [to(307, location)];
    await expect(enrol()).rejects.toThrow('redirected to');
    expect(posts()).toHaveLength(1);
  });

  test.each([301, 302, 303])('EST-020 %i could turn the POST into a GET, and is an error', async (status) => {
    world.answers.simpleenroll = [to(status, `${URL_BASE}/moved/simpleenroll`)];
    await expect(enrol()).rejects.toThrow(`answered ${status}`);
    expect(posts()).toHaveLength(1);
  });

  test('a circle ends', async () => {
    world.answers.simpleenroll = [to(307, `${URL_BASE}/simpleenroll`)];
    await expect(enrol()).rejects.toThrow('more than 3 times');
  });
});

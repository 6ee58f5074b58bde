import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EstControl, startEstControl, TurnableClock } from '../index.ts';
import { BASIC, ByHand } from '../testing/by-hand.ts';

let hand: ByHand;
let control: EstControl;
beforeEach(async () => {
  hand = await ByHand.open();
  await hand.start({ clock: new TurnableClock() });
  control = await startEstControl(hand.est);
});
afterEach(async () => {
  await control.close();
  await hand.close();
});

/** One call with curl, as the documentation has it. */
async function call(method: string, path: string, body?: unknown) {
  const data = body === undefined ? [] : ['--data', typeof body === 'string' ? body : JSON.stringify(body)];
  const { status, text } = await hand.curl('-X', method, ...data, `${control.url}${path}`);
  return { status, text, json: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : undefined };
}

describe('control API', () => {
  it('lists itself and tells the state', async () => {
    expect((await call('GET', '/')).json).toContainEqual(expect.objectContaining({ method: 'POST', path: '/issue' }));
    expect((await call('GET', '/state')).json).toMatchObject({ rollover: 'steady', issuedTotal: 0, labels: [] });
  });

  it('issues by hand what opens the door, revokes it, and lists it', async () => {
    const made = await call('POST', '/issue', {
      commonName: 'TEST hand',
      sans: ['hand.test', '::1'],
      lifetimeSeconds: 60,
    });
    expect(made.status).toBe(201);
    const shown = ['--cert', hand.put('h.pem', made.json.certificatePem), '--key', hand.put('h.key', made.json.keyPem)];
    const printed = hand.openssl('x509', '-in', hand.at('h.pem'), '-noout', '-text');
    expect(printed).toContain('DNS:hand.test, IP Address:0:0:0:0:0:0:0:1');
    hand.request('/CN=x');
    expect((await hand.enrol('simpleenroll', shown)).status).toBe(200);
    expect((await call('POST', '/revoke', { serial: made.json.serial, reason: 'superseded' })).status).toBe(200);
    expect((await hand.enrol('simpleenroll', shown)).status).toBe(401);
    expect((await call('POST', '/revoke', { serial: 'abcd' })).status).toBe(404);
    const listed = await call('GET', '/issued?subject=hand');
    expect(listed.json).toMatchObject([{ serial: made.json.serial, subject: 'CN=TEST hand' }]);
    await hand.curl(`${control.url}/crl`);
    expect(hand.openssl('crl', '-inform', 'DER', '-in', hand.at('body'), '-noout', '-text')).toContain('Superseded');
  });

  it('issues to a request in PEM, and refuses what is none', async () => {
    hand.request('/CN=TEST pem');
    const csr = hand.openssl('req', '-inform', 'DER', '-in', hand.at('csr.der'));
    const made = await call('POST', '/issue', { csr, ca: 'bootstrap' });
    expect(made.status, made.text).toBe(201);
    expect(made.json.keyPem).toBeUndefined();
    expect((await call('POST', '/issue', { csr: 'nonsense' })).status).toBe(400);
  });

  it('fails the next N, then no more', async () => {
    hand.request('/CN=x');
    await call('POST', '/fail', { times: 2, where: 'simpleenroll', fault: { kind: 'status', status: 500 } });
    const statuses = [];
    for (let n = 0; n < 3; n++) statuses.push((await hand.enrol('simpleenroll', BASIC)).status);
    expect(statuses).toEqual([500, 500, 200]);
    await call('POST', '/fail', {});
    await call('DELETE', '/fail');
    expect((await hand.enrol('simpleenroll', BASIC)).status).toBe(200);
  });

  it('turns, sets and stops the clock; certificates follow', async () => {
    await call('POST', '/clock', { now: '2031-02-03T04:05:06Z', state: 'standing' });
    expect((await call('GET', '/clock')).json).toEqual({ now: '2031-02-03T04:05:06.000Z', state: 'standing' });
    await call('POST', '/clock', { turnSeconds: 3600 });
    hand.request('/CN=x');
    const leaf = await hand.enrolled(BASIC);
    expect(hand.openssl('x509', '-in', leaf, '-noout', '-startdate')).toContain('Feb  3 05:05:06 2031');
    expect((await call('POST', '/clock', { now: 'soon' })).status).toBe(400);
  });

  it('shows the journal with connections, without passwords', async () => {
    hand.request('/CN=x');
    await hand.enrol('simpleenroll', BASIC);
    await hand.curl(`${hand.est.url}/cacerts`);
    const { json, text } = await call('GET', '/journal');
    expect(json[0]).toMatchObject({
      method: 'POST',
      principal: 'device (basic)',
      status: 200,
      connection: { number: 1, protocol: 'TLSv1.3', serverName: 'localhost' },
    });
    expect(json[1].connection.number).toBe(2);
    expect(text).toContain('device:***');
    expect(text).not.toContain(Buffer.from('device:s€cret').toString('base64'));
    expect((await call('GET', '/journal?last=1')).json).toHaveLength(1);
    expect((await call('DELETE', '/journal')).status).toBe(204);
    expect((await call('GET', '/journal')).json).toEqual([]);
  });

  it('sets quirks, approves, makes labels, changes the root', async () => {
    expect((await call('PUT', '/quirks', [{ operation: 'cacerts', extraRoots: true }])).status).toBe(200);
    expect(hand.namesIn((await hand.curl(`${hand.est.url}/cacerts`)).text)).toHaveLength(4);
    await call('DELETE', '/quirks');
    await call('PUT', '/labels/slow', { approval: 'manual' });
    hand.request('/CN=x');
    expect((await hand.enrol('slow/simpleenroll', BASIC)).status).toBe(202);
    const [waiting] = (await call('GET', '/pending')).json;
    expect((await call('POST', '/approve', { id: waiting.id })).json.state).toBe('approved');
    expect((await hand.enrol('slow/simpleenroll', BASIC)).status).toBe(200);
    expect((await call('POST', '/reject', { id: 'x' })).status).toBe(404);
    expect((await call('DELETE', '/labels/slow')).status).toBe(204);
    expect((await call('DELETE', '/labels/slow')).status).toBe(404);
    expect((await call('POST', '/rollover')).json).toEqual({ phase: 'announced' });
  });

  it.each([
    ['PUT', '/quirks', { noSuch: true }, 400],
    ['PUT', '/quirks', '{', 400],
    ['PUT', '/labels/cacerts', {}, 400],
    ['PUT', '/labels/x', { auth: {} }, 400],
    ['PUT', '/labels/x', { csrAttributes: ['nonsense'] }, 400],
    ['PUT', '/labels/x', { certificateLifetimeSeconds: 0 }, 400],
    ['POST', '/fail', { fault: { kind: 'status' } }, 400],
    ['POST', '/issue', { ca: '../x' }, 400],
    ['GET', '/journal?last=-1', undefined, 400],
    ['GET', '/nosuch', undefined, 404],
    ['PATCH', '/quirks', {}, 405],
  ])('%s %s %j → %i, with a message, nothing changed', async (method, path, body, status) => {
    const answer = await call(method, path, body);
    expect(answer.status, answer.text).toBe(status);
    expect(answer.json.message).not.toBe('');
    expect((await call('GET', '/state')).json).toMatchObject({ labels: [], quirks: {}, issuedTotal: 0 });
  });

  it('web pages and other names are turned away', async () => {
    expect((await hand.curl('-H', 'origin: https://evil.test', `${control.url}/state`)).status).toBe(403);
    expect((await hand.curl('-H', 'host: evil.test', `${control.url}/state`)).status).toBe(403);
  });
});

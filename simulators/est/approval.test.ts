import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../common/index.ts';
import { der, oid, sequence, setOf, TAG, tagged } from './der.ts';
import { BASIC, ByHand } from './testing/by-hand.ts';
import { renamedRequest } from './testing/renamed-request.ts';

let hand: ByHand;
beforeEach(async () => {
  hand = await ByHand.open();
});
afterEach(() => hand.close());

describe('manual approval (RFC 7030 4.2.3)', () => {
  it('202 with Retry-After until somebody approves, for the same request only', async () => {
    await hand.start({ approval: 'manual', retryAfterSeconds: 7 });
    hand.request('/CN=one', { name: 'one' });
    hand.request('/CN=two', { name: 'two' });
    const first = await hand.enrol('simpleenroll', BASIC, 'one');
    expect(first.status).toBe(202);
    expect(first.head).toMatch(/^retry-after: 7\r$/im);
    await hand.enrol('simpleenroll', BASIC, 'one');
    await hand.enrol('simpleenroll', BASIC, 'two');
    const [one, two] = hand.est.pending();
    expect(one).toMatchObject({ subject: 'CN=one', principal: 'device', asked: 2, state: 'waiting' });
    expect(hand.est.approve(one?.id ?? '')?.state).toBe('approved');
    expect(hand.est.reject(two?.id ?? '')?.state).toBe('rejected');
    expect(hand.est.approve('no such')).toBeUndefined();
    const done = await hand.enrol('simpleenroll', BASIC, 'one');
    expect(done.status).toBe(200);
    expect(hand.namesIn(done.text)).toEqual(['one']);
    expect((await hand.enrol('simpleenroll', BASIC, 'two')).status).toBe(403);
    expect((await hand.enrol('simpleenroll', BASIC, 'one')).status, 'a new enrolment waits anew').toBe(202);
  });

  it('by quirk: so many times, with a date, or without a header; for server-made keys too', async () => {
    const clock = new ManualClock(Date.UTC(2030, 0, 1));
    await hand.start({ clock });
    hand.request('/CN=x');
    hand.est.setQuirks({ pending: { times: 1, retryAfterSeconds: 90, form: 'date' } });
    expect((await hand.enrol('simpleenroll', BASIC)).head).toMatch(/^retry-after: Tue, 01 Jan 2030 00:01:30 GMT\r$/im);
    expect((await hand.enrol('simpleenroll', BASIC)).status).toBe(200);
    hand.request('/CN=y');
    hand.est.setQuirks({ pending: { times: 1, retryAfterSeconds: 90, form: 'absent' } });
    const bare = await hand.enrol('serverkeygen', BASIC);
    expect([bare.status, /retry-after/i.test(bare.head)]).toEqual([202, false]);
    expect((await hand.enrol('serverkeygen', BASIC)).status).toBe(200);
  });
});

describe('re-enrolment under another name', () => {
  it('changeSubjectName in the request names subject and subjectAltName of the new certificate', async () => {
    await hand.start({ labels: { fixed: { policy: { renaming: 'refused' } } } });
    hand.request('/CN=TEST old', { name: 'old' });
    const cert = await hand.enrolled(BASIC, { name: 'old' });
    const shown = ['--cert', cert, '--key', hand.at('old.key')];
    const name = sequence(setOf(sequence(oid('2.5.4.3'), der(TAG.utf8String, Buffer.from('TEST new')))));
    const value = sequence(name, tagged(1, der(0x82, Buffer.from('new.test'))));
    hand.put('csr.b64', renamedRequest(hand.read('old.der'), hand.read('old.key'), value));
    const answer = await hand.enrol('simplereenroll', shown);
    expect(answer.status, answer.text).toBe(200);
    const leaf = hand.put('leaf.pem', hand.certificatesIn(answer.text));
    const printed = hand.openssl('x509', '-in', leaf, '-noout', '-subject', '-ext', 'subjectAltName');
    expect(printed).toContain('CN = TEST new');
    expect(printed).toContain('DNS:new.test');
    expect((await hand.enrol('fixed/simplereenroll', shown)).status).toBe(403);
  });
});

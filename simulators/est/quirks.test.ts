import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BASIC, ByHand } from './testing/by-hand.ts';

let hand: ByHand;
beforeEach(async () => {
  hand = await ByHand.open();
  await hand.start({ labels: { one: {}, two: {} } });
  hand.request('/CN=x');
});
afterEach(() => hand.close());

/** What openssl cms prints of a base64 message. */
const cmsOf = (text: string): string => {
  const file = hand.put('answer.p7', Buffer.from(text, 'base64'));
  return hand.openssl('cms', '-cmsout', '-print', '-noout', '-inform', 'DER', '-in', file);
};
const enrol = () => hand.enrol('simpleenroll', BASIC);

describe('quirks of real servers', () => {
  it('proper answers are certs-only in the eyes of openssl cms: version 1, no digest, no content, no signer', async () => {
    for (const { text } of [await enrol(), await hand.curl(`${hand.est.url}/cacerts`)]) {
      const printed = cmsOf(text);
      expect(printed).toContain('contentType: pkcs7-signedData (1.2.840.113549.1.7.2)');
      expect(printed).toMatch(/version: 1\n\s+digestAlgorithms:\n\s+<EMPTY>/);
      expect(printed).toMatch(/eContent: <ABSENT>/);
      expect(printed).toMatch(/signerInfos:\n\s+<EMPTY>/);
      expect(printed).toMatch(/crls:\n\s+<ABSENT>/);
    }
  });

  it('revocation lists, roots of strangers, the chain behind the leaf', async () => {
    hand.est.setQuirks({ crls: true });
    const printed = cmsOf((await enrol()).text);
    expect(printed).toMatch(/crls:\n\s+d\.crl/);
    expect(hand.openssl('pkcs7', '-inform', 'DER', '-in', hand.at('answer.p7'), '-print_certs')).toContain(
      'BEGIN X509 CRL',
    );
    hand.est.setQuirks({ extraRoots: true });
    expect(hand.namesIn((await hand.curl(`${hand.est.url}/cacerts`)).text)).toEqual([
      'TEST est CA',
      'TEST root CA',
      'TEST stranger 1',
      'TEST stranger 2',
    ]);
    hand.est.setQuirks({ chainIncluded: true });
    expect(hand.namesIn((await enrol()).text)).toEqual(['x', 'TEST est CA', 'TEST root CA']);
  });

  it('BER, no certificates field, LF, no Content-Transfer-Encoding, any status', async () => {
    hand.est.setQuirks({ indefiniteLengths: true });
    const { text } = await enrol();
    expect(Buffer.from(text, 'base64').subarray(0, 2).toString('hex')).toBe('3080');
    expect(hand.namesIn(text)).toEqual(['x']);
    hand.est.setQuirks({ noCertificates: true });
    expect(cmsOf((await enrol()).text)).toMatch(/certificates:\n\s+<ABSENT>/);
    hand.est.setQuirks({ body: 'wrapped-lf' });
    expect((await enrol()).text).toMatch(/^([A-Za-z0-9+/=]{1,64}\n)+$/);
    hand.est.setQuirks({ missingTransferEncoding: true, status: 203 });
    const bare = await enrol();
    expect([bare.status, /content-transfer-encoding/i.test(bare.head)]).toEqual([203, false]);
  });

  it('a redirect, a body that is cut, a delay', async () => {
    hand.est.setQuirks({ redirect: 'https://localhost:1/elsewhere' });
    const moved = await enrol();
    expect([moved.status, /location: https:\/\/localhost:1\/elsewhere/i.test(moved.head)]).toEqual([302, true]);
    hand.est.setQuirks({ closeMidBody: true });
    await expect(enrol()).rejects.toThrow(/transfer closed|unexpected eof|SSL/i);
    hand.est.setQuirks({ delayMilliseconds: 20 });
    expect((await enrol()).status).toBe(200);
  });

  it('several at once, each for one operation or one label, and each in the journal', async () => {
    hand.est.setQuirks([
      { label: 'one', created: true },
      { label: 'one', operation: 'cacerts', created: false, unwrappedBase64: true },
      { operation: 'cacerts', duplicates: true },
    ]);
    expect((await hand.enrol('one/simpleenroll', BASIC)).status).toBe(201);
    expect((await hand.enrol('two/simpleenroll', BASIC)).status).toBe(200);
    expect((await hand.curl(`${hand.est.url}/one/cacerts`)).text).toMatch(/^[A-Za-z0-9+/]+=*$/);
    expect(hand.est.journal.list().map(({ fault }) => fault)).toEqual([
      'quirk created',
      undefined,
      'quirk unwrappedBase64 duplicates',
    ]);
  });

  it('N failures, then success, for one operation', async () => {
    hand.est.faults.add({ fault: { kind: 'status', status: 503 }, where: 'simpleenroll', times: 2 });
    expect([(await enrol()).status, (await enrol()).status, (await enrol()).status]).toEqual([503, 503, 200]);
    hand.est.faults.add({ fault: { kind: 'status', status: 500 }, where: 'cacerts' });
    expect((await hand.curl(`${hand.est.url}/cacerts`)).status).toBe(500);
    expect((await enrol()).status).toBe(200);
  });
});

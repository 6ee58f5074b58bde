import { describe, expect, it } from 'vitest';
import { coloursFor } from './colours.ts';
import { jsonDocument, type Outcome, summarise } from './outcome.ts';
import { curlLine, renderTable } from './table.ts';
import { wayOf } from './ways.ts';

const outcome: Outcome = {
  life: 'stay',
  way: wayOf('dps-x509-est'),
  hub: 'localhost:8443',
  deviceId: 'test-device-01',
  certificate: {
    subject: 'CN=test-device-01',
    issuer: 'CN=TEST est CA',
    notAfter: '2026-02-01T00:00:00Z',
    pem: 'P',
    caPem: 'C',
  },
  keys: [
    { id: 'device-id', use: 'key pair', location: { kind: 'pkcs11', token: 'TEST sandbox' } },
    { id: 'est-bootstrap-id', use: 'maker', location: { kind: 'file', path: '/d/cloud/k.pem' } },
  ],
  keyLocation: 'pkcs11',
  modules: [{ moduleId: 'agent', genId: '638' }],
  host: { moduleId: 'agent', sasAccepted: true },
  hostUser: { name: 'nobody', uid: 65534, gid: 65533 },
  hostIsOther: true,
  sockets: { keyd: '/d/run/keyd.sock', certd: '/d/run/certd.sock', identityd: '/d/run/identityd.sock' },
  pid: { keyd: 1, certd: 2, identityd: 3 },
  urls: { est: 'https://localhost:1/.well-known/est', dps: 'https://localhost:2/', hub: 'https://localhost:8443' },
  scopeId: '0neTEST',
  rootCaPath: '/d/run/ca.pem',
  folders: {
    base: '/d',
    keyd: '',
    certd: '',
    identityd: '',
    tpmd: '',
    tpm: '',
    cloud: '',
    run: '/d/run',
    temporary: ['/d'],
  },
  timingsMs: { keyd: 1, total: 2345.6 },
};
const plain = coloursFor({}, {});
const now = Date.parse('2026-01-01T00:00:00Z');

describe('the table', () => {
  const table = renderTable(outcome, plain, now);

  it.each([
    [
      'where each key lives',
      /device-id +key pair +in the token "TEST sandbox"\n +est-bootstrap-id +maker +in the file \/d\/cloud\/k.pem/,
    ],
    ['when the certificate ends', /ends 2026-02-01, in 31 days/],
    [
      'the modules and the application',
      /agent +generation 638[\s\S]*agent, as nobody \(65534\)\n +its token was taken/,
    ],
    ['sockets with their processes', /\/d\/run\/keyd.sock +process 1\n/],
    [
      'the URLs and what to trust them by',
      /EST +https:\/\/localhost:1\S+\n[\s\S]*DPS[\s\S]*scope 0neTEST\n[\s\S]*trust them by \/d\/run\/ca.pem/,
    ],
    ['that the folder goes', /\/d \(goes at the end\)/],
    ['how long it took', /took +2.3 s/],
  ])('tells %s', (_, pattern) => {
    expect(table).toMatch(pattern);
  });

  it('offers a command while the world stays up, and only then', () => {
    expect(table).toMatch(/\n {2}try\n {2}setpriv .*curl/);
    expect(renderTable({ ...outcome, life: 'once' }, plain, now)).not.toContain('curl');
  });

  it('says where there is no hub', () => {
    const offline = { ...outcome, urls: undefined, host: { moduleId: 'agent', sasAccepted: null } };
    const text = renderTable(offline, plain, now);
    expect(text).toMatch(/cloud +stopped/);
    expect(text).toMatch(/there is no hub/);
  });
});

describe('the curl line', () => {
  it('acts as the user of the application', () => {
    expect(curlLine(outcome)).toBe(
      "setpriv --reuid=65534 --regid=65533 --clear-groups curl -s --unix-socket /d/run/identityd.sock 'http://identityd.sock/identities/identity?api-version=2020-09-01'",
    );
    expect(curlLine({ ...outcome, hostIsOther: false })).toMatch(/^curl /);
  });

  it('survives a path with a blank and a quote', () => {
    const sockets = { ...outcome.sockets, identityd: "/a b's/identityd.sock" };
    expect(curlLine({ ...outcome, sockets })).toContain(String.raw`--unix-socket '/a b'\''s/identityd.sock' `);
  });
});

describe('the document', () => {
  it('has the members of its description and no others', () => {
    expect(jsonDocument(outcome)).toEqual({
      hub: 'localhost:8443',
      deviceId: 'test-device-01',
      attestation: 'x509',
      certificate: outcome.certificate,
      keyLocation: 'pkcs11',
      modules: [{ moduleId: 'agent', genId: '638' }],
      host: { moduleId: 'agent', sasAccepted: true },
      sockets: outcome.sockets,
      timingsMs: outcome.timingsMs,
      pid: outcome.pid,
    });
  });

  it('has no certificate where the device has none', () => {
    expect(jsonDocument({ ...outcome, certificate: undefined })).not.toHaveProperty('certificate');
  });

  it('refuses to describe what is no certificate', () => {
    expect(() => summarise('nothing', '')).toThrow(/not PEM/);
  });
});

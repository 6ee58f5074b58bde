import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { certificateFile } from '../est-client/index.ts';
import { type Context, expectError, expectStatus, group, stringMember, type World } from '../runner/index.ts';
import { Caller } from './caller.ts';
import { certdWithLocalCa, makeCsr, STRANGER, USER } from './world.ts';

interface Callers {
  readonly world: World;
  readonly root: Caller;
  readonly user: Caller;
  readonly stranger: Caller;
  /** A real certificate, as certd takes no other text. */
  readonly pem: string;
}

async function callers(context: Context): Promise<Callers> {
  const world = await context.shared(certdWithLocalCa);
  const pem = await readFile(world.path('pre', 'ca.pem'), 'utf8');
  return { world, root: new Caller(world), user: new Caller(world, USER), stranger: new Caller(world, STRANGER), pem };
}

const certFile = (world: World, id: string): string => world.path('certd', 'home', 'certs', certificateFile(id));

const NOT_FOUND = 'parameter "id" has an invalid value\ncaused by: not found';

export const store = group('certd store', {
  'CS-010': [
    'an absent certificate is 400 with the text that clients look for',
    'spec',
    async (context) => {
      const { root } = await callers(context);
      assert.equal(expectError(await root.get('absent'), 400), NOT_FOUND);
    },
  ],
  'CS-011': [
    'what one caller stores any caller reads, unchanged',
    'spec',
    async (context) => {
      context.needRoot();
      const { user, stranger, pem } = await callers(context);
      expectStatus(await user.put('device-id', pem), 201);
      assert.equal(stringMember(expectStatus(await stranger.get('device-id'), 200), 'pem'), pem);
    },
  ],
  'CS-012': [
    'a stranger may not store, and changes nothing',
    'spec',
    async (context) => {
      context.needRoot();
      const { root, stranger, pem } = await callers(context);
      expectError(await stranger.put('kept', pem), 401, `user ${STRANGER} is not authorized to modify the cert kept`);
      assert.equal(expectError(await root.get('kept'), 400), NOT_FOUND);
    },
  ],
  'CS-013': [
    'a stranger may not issue or delete',
    'spec',
    async (context) => {
      context.needRoot();
      const { stranger } = await callers(context);
      expectError(await stranger.issue('by-ca', 'x'), 401);
      expectError(await stranger.delete('local-ca'), 401);
    },
  ],
  'CS-015': [
    'patterns match the whole id, * any run',
    'spec',
    async (context) => {
      context.needRoot();
      const { user, pem } = await callers(context);
      expectStatus(await user.put('device', pem), 201);
      expectError(await user.put('xdev', pem), 401);
      expectError(await user.put('Device', pem), 401);
    },
  ],
  'CS-016': [
    '? is exactly one character',
    'spec',
    async (context) => {
      context.needRoot();
      const { user, pem } = await callers(context);
      expectStatus(await user.put('abc', pem), 201);
      for (const id of ['ac', 'abbc']) expectError(await user.put(id, pem), 401);
    },
  ],
  'CS-017': [
    'principals of one uid in two files are joined',
    'spec',
    async (context) => {
      context.needRoot();
      const { user, pem } = await callers(context);
      expectStatus(await user.put('second', pem), 201);
    },
  ],
  'CS-024': [
    'text that is no certificate is refused',
    'spec',
    async (context) => {
      const { root } = await callers(context);
      for (const text of ['words', '', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])
        expectError(await root.put('device-text', text), 400, 'pem');
    },
  ],
  'CS-026': [
    'delete may be repeated',
    'spec',
    async (context) => {
      const { root, pem } = await callers(context);
      expectStatus(await root.put('short-lived', pem), 201);
      for (let time = 0; time < 2; time += 1) expectStatus(await root.delete('short-lived'), 204);
      expectError(await root.get('short-lived'), 400, 'not found');
    },
  ],
  'CS-062': [
    'the file has the documented name and the text as given',
    'spec',
    async (context) => {
      const { world, root, pem } = await callers(context);
      expectStatus(await root.put('a-b', pem), 201);
      assert.equal(await readFile(certFile(world, 'a-b'), 'utf8'), pem);
    },
  ],
  'CS-063': [
    'ids that differ in signs only are two files',
    'spec',
    async (context) => {
      const { world, root, pem } = await callers(context);
      expectStatus(await root.put('c-d', pem), 201);
      expectStatus(await root.put('cd', pem), 201);
      const names = (await readdir(world.path('certd', 'home', 'certs'))).filter((name) => name.startsWith('cd-'));
      assert.equal(names.length, 2);
    },
  ],
  'CS-064': [
    'an id that no file name holds is an error and no crash',
    'spec',
    async (context) => {
      const { root, pem } = await callers(context);
      expectError(await root.put('y'.repeat(300), pem), [400, 500]);
      expectStatus(await root.get('local-ca'), 200);
    },
  ],
  'CS-066': [
    'a bundle gives those members that are there',
    'spec',
    async (context) => {
      const { root, pem } = await callers(context);
      assert.equal(stringMember(expectStatus(await root.get('bundle'), 200), 'pem'), pem);
    },
  ],
  'CS-067': [
    'a bundle can be neither stored nor deleted',
    'spec',
    async (context) => {
      const { root, pem } = await callers(context);
      expectError(await root.put('bundle', pem), 500, 'internal error');
      expectError(await root.delete('bundle'), 500, 'internal error');
    },
  ],
  'CS-068': [
    'a preloaded web address loads, and is an error when asked for',
    'spec',
    async (context) => {
      const { root } = await callers(context);
      expectError(await root.get('web'), 500, 'internal error');
    },
  ],
});

export const issuance = group('certd issuance', {
  'CS-030': [
    'requests that are none are refused on csr',
    'spec',
    async (context) => {
      const { world, root } = await callers(context);
      const csr = await makeCsr(world, '/CN=leaf');
      const noPem = [
        Buffer.from(csr).toString('base64'),
        'garbage',
        '',
        csr.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE'),
      ];
      for (const text of noPem) expectError(await root.issue('by-ca', text), 400, 'parameter "csr"');
    },
  ],
  'CS-031': [
    'a request whose signature does not hold is refused',
    'spec',
    async (context) => {
      const { world, root } = await callers(context);
      const lines = (await makeCsr(world, '/CN=leaf')).trim().split('\n');
      const der = Buffer.from(lines.slice(1, -1).join(''), 'base64');
      const last = der.length - 1;
      der[last] = (der[last] ?? 0) ^ 1;
      const pem = `${lines[0]}\n${der.toString('base64')}\n${lines.at(-1)}\n`;
      expectError(await root.issue('by-ca', pem), 400, 'parameter "csr"');
    },
  ],
  'CS-035': [
    'an unknown issuer is refused on issuer.certId',
    'spec',
    async (context) => {
      const { world, root } = await callers(context);
      const csr = await makeCsr(world, '/CN=leaf');
      expectError(
        await root.issue('by-ca', csr, { certId: 'absent', privateKeyHandle: 'x' }),
        400,
        'parameter "issuer.certId"',
      );
    },
  ],
  'CS-037': [
    'an id without an issuance entry is refused on issuer',
    'spec',
    async (context) => {
      const { world, root } = await callers(context);
      expectError(await root.issue('nothing-configured', await makeCsr(world, '/CN=leaf')), 400, 'issuer');
    },
  ],
  'CS-041': [
    'self-signing without the key is an internal error and stores nothing',
    'spec',
    async (context) => {
      const { world, root } = await callers(context);
      expectError(await root.issue('self', await makeCsr(world, '/CN=self')), 500, 'internal error');
      await assert.rejects(stat(certFile(world, 'self')));
    },
  ],
  'CS-044': [
    'the local CA signs: leaf and issuer, thirty days',
    'spec',
    async (context) => {
      const { world, root, pem } = await callers(context);
      const [leafPem = '', issuerPem = ''] = await root.issued('by-ca', await makeCsr(world, '/O=TEST/CN=leaf'));
      assert.equal(issuerPem.trim(), pem.trim());
      const [leaf, ca] = [new X509Certificate(leafPem), new X509Certificate(pem)];
      assert.ok(leaf.verify(ca.publicKey), 'the leaf does not verify with the CA');
      assert.equal(leaf.subject, 'O=TEST\nCN=leaf');
      const days = (Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / 86_400_000;
      assert.ok(Math.abs(days - 30) < 0.001, `valid for ${days} days`);
      assert.equal(
        stringMember(expectStatus(await root.get('by-ca'), 200), 'pem').trim(),
        `${leafPem.trim()}\n${issuerPem.trim()}`,
      );
    },
  ],
  'CS-051': [
    'serial numbers are positive and differ',
    'spec',
    async (context) => {
      const { world, root } = await callers(context);
      const csr = await makeCsr(world, '/CN=leaf');
      const serials = new Set<string>();
      for (let count = 0; count < 20; count += 1) {
        const [leaf = ''] = await root.issued('by-ca', csr);
        serials.add(new X509Certificate(leaf).serialNumber);
      }
      assert.equal(serials.size, 20);
      assert.ok(!serials.has('00') && !serials.has('0'));
    },
  ],
  'CS-053': [
    'a common name is cut to sixty-four characters',
    'spec',
    async (context) => {
      const { world, root } = await callers(context);
      const [leaf = ''] = await root.issued('cn-long', await makeCsr(world, '/CN=other'));
      assert.match(new X509Certificate(leaf).subject, /CN=x{64}(\n|$)/);
    },
  ],
});

const BAD: readonly (readonly [name: string, method: string, path: string, body: unknown])[] = [
  ['PUT of an empty object', 'PUT', '/certificates/device-bad', {}],
  ['PUT of a number as pem', 'PUT', '/certificates/device-bad', { pem: 1 }],
  ['PUT of null as pem', 'PUT', '/certificates/device-bad', { pem: null }],
  ['PUT of pem twice', 'PUT', '/certificates/device-bad', '{"pem":"a","pem":"b"}'],
  ['PUT of broken JSON', 'PUT', '/certificates/device-bad', '{'],
  ['PUT of nothing', 'PUT', '/certificates/device-bad', undefined],
  ['POST of an empty object', 'POST', '/certificates', {}],
  ['POST without csr', 'POST', '/certificates', { certId: 'device-bad' }],
  ['POST with a number as id', 'POST', '/certificates', { certId: 1, csr: 'x' }],
  ['POST with half an issuer', 'POST', '/certificates', { certId: 'x', csr: 'y', issuer: { certId: 'z' } }],
  ['POST with a string as issuer', 'POST', '/certificates', { certId: 'x', csr: 'y', issuer: 'z' }],
  ['DELETE with broken JSON', 'DELETE', '/certificates/device-bad', '{'],
];

export const badBodies = group(
  'certd refuses',
  Object.fromEntries(
    BAD.map(([name, method, path, body], index) => [
      `CERTD-BAD-${String(index + 1).padStart(2, '0')}`,
      [
        `${name} is 422`,
        'spec',
        async (context) => {
          const { root } = await callers(context);
          expectError(await root.call(method, path, body), 422);
          expectError(await root.get('device-bad'), 400, 'not found');
        },
      ] as const,
    ]),
  ),
);

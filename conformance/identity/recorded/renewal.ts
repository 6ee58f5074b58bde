import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { answered, exchange, expectStatus, jsonOf, stringMember } from '../../runner/index.ts';
import type { Bench } from './bench.ts';
import { storeCertificate } from './scenes.ts';
import type { Step } from './steps.ts';

const RENEWED_MS = 20_000;
const V = 'api-version=2022-08-01';

async function certificate({ world }: Bench, id: string): Promise<string | undefined> {
  const request = { method: 'GET', target: `/certificates/${id}?api-version=2020-09-01` };
  const answer = answered(await exchange(world.socket('certd'), 0, request));
  return answer.status === 200 ? stringMember(jsonOf(answer), 'pem') : undefined;
}

/** Whether the operator's key file holds the key of this certificate. */
async function keyFits({ world }: Bench, pem: string): Promise<boolean> {
  const key = createPublicKey(await readFile(world.path('pre', 'idkey.pem'), 'utf8'));
  const own = new X509Certificate(pem).publicKey;
  return key.export({ type: 'spki', format: 'pem' }) === own.export({ type: 'spki', format: 'pem' });
}

/** Waits until there is another certificate, and its key; what is there after the time is compared as it is. */
async function renewed(bench: Bench): Promise<void> {
  const until = performance.now() + RENEWED_MS;
  while (performance.now() < until && !(await isRenewed(bench))) await pause(50);
}

async function isRenewed(bench: Bench): Promise<boolean> {
  const pem = await certificate(bench, 'idcert');
  return pem !== undefined && pem !== bench.notes.get('certificate') && (await keyFits(bench, pem).catch(() => false));
}

/** What is stored after a renewal that was due, or was tried in vain; as recorded. */
const result: Step = async (bench, { world }, { facts }) => {
  if (facts['certificateChanged'] === true) await renewed(bench);
  const pem = (await certificate(bench, 'idcert')) ?? '';
  assert.notEqual(pem, '', 'certd has no certificate idcert');
  assert.equal(pem !== bench.notes.get('certificate'), facts['certificateChanged']);
  assert.equal(
    (await readFile(world.path('pre', 'idkey.pem'), 'utf8')) !== bench.notes.get('key'),
    facts['keyChanged'],
  );
  assert.equal(await keyFits(bench, pem), true, 'certificate and key do not fit');
  assert.equal(await certificate(bench, 'idcert-temp'), undefined, 'a temporary certificate is left');
};

/** Another certificate is stored before the renewal is due: it is used from then on, and renewed in its turn. */
const replaced: Step = async (bench, { world }) => {
  await storeCertificate(bench, { fromMs: -20_000, toMs: 3_600_000 });
  const running = bench.launch();
  await running.ready(world.socket('identityd'), 20_000);
  await running.logged(/Identity reconciliation complete/, 20_000);
  assert.equal(await keyFits(bench, (await certificate(bench, 'idcert')) ?? ''), true);
};

/** Calls of E9 until the renewal is over, so that some overlap it: each is answered, and so is everybody else. */
const overlapping: Step = async (bench) => {
  const until = performance.now() + RENEWED_MS;
  do await threeReprovisions(bench);
  while (performance.now() < until && !(await isRenewed(bench)));
};

async function threeReprovisions({ world }: Bench): Promise<void> {
  const socket = world.socket('identityd');
  const reprovision = { method: 'POST', target: `/identities/device/reprovision?${V}` };
  const asked = [1, 2, 3].map(() => exchange(socket, 0, reprovision, 30_000));
  expectStatus(await exchange(socket, 0, { method: 'GET', target: `/identities/provisioning?${V}` }, 5000), 200);
  for (const answer of await Promise.all(asked)) expectStatus(answer, 204);
}

export const RENEWAL_STEPS: Readonly<Record<string, Step>> = {
  'renewal/due-15s-after-start-result': result,
  'renewal/due-at-start-result': result,
  'renewal/due-at-start-same-key-result': result,
  'renewal/issuance-fails-result': result,
  'renewal/expired-and-issuance-fails-result': result,
  'renewal-replaced/replaced-before-due': replaced,
  'renewal-deadlock/results': overlapping,
};

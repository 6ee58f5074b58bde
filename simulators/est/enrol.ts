import type { FrontDoorAnswer, FrontDoorRequest } from '../common/index.ts';
import { authenticate, type Enrolee } from './authenticate.ts';
import type { Issuer } from './certificate.ts';
import { readRequest, readUnverified } from './certificate-request.ts';
import { type AnswerParts, certificatesAnswer, certificatesBody, headersOf, statusOf } from './certificates-answer.ts';
import { type CertificateWish, checkReenrolment, checkSubject, issueFor, keyTypeOf } from './issue.ts';
import { nameText } from './name.ts';
import { checkPossession } from './possession.ts';
import type { WholeProfile } from './profile.ts';
import type { EstQuirks } from './quirks.ts';
import { EstRefusal } from './refusal.ts';
import type { RequestAttributes } from './request-attributes.ts';
import { keyPart, makeServerKey, multipart, recipientFor } from './server-key.ts';
import type { World } from './world.ts';

const EXPIRED_FOR_MS = 60_000;

/** One enrolment on its way. */
export interface Enrolment {
  readonly world: World;
  readonly profile: WholeProfile;
  readonly quirks: EstQuirks;
  readonly request: FrontDoorRequest;
  readonly enrolee: Enrolee;
}

/** Begin and end of a certificate made now, in whole seconds. */
export function validity(
  now: number,
  { certificateLifetimeSeconds, notBeforeOffsetSeconds }: WholeProfile,
  leaf: 'fresh' | 'expired' = 'fresh',
): { notBefore: Date; notAfter: Date } {
  const second = Math.floor(now / 1000) * 1000;
  const end =
    leaf === 'expired'
      ? second - EXPIRED_FOR_MS
      : second + (notBeforeOffsetSeconds + certificateLifetimeSeconds) * 1000;
  return { notBefore: new Date(end - certificateLifetimeSeconds * 1000), notAfter: new Date(end) };
}

/** Proves who enrols and notes it in the journal. @throws EstRefusal 401 or 403 */
export async function identify(world: World, profile: WholeProfile, request: FrontDoorRequest): Promise<Enrolee> {
  const caller = {
    method: request.method,
    target: request.target,
    authorization: request.headers['authorization'],
    clientChain: request.clientChain,
    now: world.clock.now(),
  };
  const enrolee = authenticate(await world.anchors(profile), caller, {
    digest: world.digest,
    isRevoked: (serial) => world.ledger.isRevoked(serial),
  });
  request.entry.principal = `${enrolee.name} (${enrolee.by})`;
  if (profile.permitted && !enrolee.names.some((name) => profile.permitted?.includes(name)))
    throw new EstRefusal(403, 'this identity may not enrol here', { reason: `${enrolee.name} is not permitted` });
  return enrolee;
}

/** @throws EstRefusal 415 where the body is not said to be a PKCS#10 request */
function checkType({ headers }: FrontDoorRequest): void {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/pkcs10') throw new EstRefusal(415, 'the content type must be application/pkcs10');
}

/** 202 as the quirk or the approval has it; undefined where the request may go on. @throws EstRefusal 403 where it was rejected */
function putOff(
  { world, profile, quirks, enrolee }: Enrolment,
  der: Buffer,
  subject: Buffer,
): FrontDoorAnswer | undefined {
  const { pending } = quirks;
  if (!pending && profile.approval === 'automatic') return undefined;
  const { approvals } = world;
  const waiting = approvals.look(der, { subject: nameText(subject), principal: enrolee.name });
  if (waiting.state === 'rejected') throw new EstRefusal(403, 'the request was rejected');
  const waitsMore = pending ? waiting.asked < pending.times : waiting.state === 'waiting';
  if (!waitsMore) {
    if (!pending) approvals.forget(waiting);
    return undefined;
  }
  approvals.putOff(waiting);
  const seconds = pending?.retryAfterSeconds ?? profile.retryAfterSeconds;
  const date = () => new Date(world.clock.now() + seconds * 1000).toUTCString();
  const form = pending?.form ?? 'seconds';
  const retryAfter = form === 'absent' ? {} : { 'retry-after': form === 'date' ? date() : String(seconds) };
  // no body (RFC 7030 4.2.3 leaves it open): Bouncy Castle's client fails on one
  return { status: 202, headers: retryAfter };
}

async function issue(enrolment: Enrolment, wish: CertificateWish, issuer: Issuer): Promise<AnswerParts> {
  const { world, profile, quirks, enrolee } = enrolment;
  checkSubject(wish.changedNames?.subject ?? wish.subject, profile.policy.subject, enrolee.names);
  const times = validity(world.clock.now(), profile, quirks.expiredLeaf ? 'expired' : 'fresh');
  const { policy } = profile;
  const written = issueFor(wish, { issuer, policy, ...times, key: quirks.foreignLeaf ? 'foreign' : 'own' });
  world.ledger.add({
    serial: written.serial,
    subject: nameText(wish.changedNames?.subject ?? wish.subject),
    ca: profile.ca,
    notBefore: times.notBefore.getTime(),
    notAfter: times.notAfter.getTime(),
    der: written.der,
  });
  const chain = quirks.chainReversed || quirks.chainIncluded ? await world.authorities.shown(profile.ca) : [];
  const certificates = quirks.chainReversed ? [...chain, written.der] : [written.der, ...chain];
  return { certificates, crls: () => [world.crl(profile.ca, issuer)], strangers: () => world.strangers() };
}

/** simpleenroll and simplereenroll (RFC 7030 4.2). */
export async function enrol(
  enrolment: Enrolment,
  operation: 'simpleenroll' | 'simplereenroll',
): Promise<FrontDoorAnswer> {
  const { world, profile, quirks, request } = enrolment;
  checkType(request);
  const csr = await readRequest(request.body, profile.keys);
  checkPossession(profile.possession, csr.challengePassword, request.tls);
  const names = reenrolled(csr, enrolment, operation);
  const later = putOff(enrolment, csr.der, csr.subject);
  if (later) return later;
  const wish = { ...csr, changedNames: names, keyType: keyTypeOf(csr.publicKey) };
  return certificatesAnswer(await issue(enrolment, wish, await world.authorities.issuer(profile.ca)), quirks);
}

/** The new names of a re-enrolment; a first enrolment has none. @throws EstRefusal */
function reenrolled(
  csr: RequestAttributes & Pick<CertificateWish, 'subject'>,
  { profile, request }: Enrolment,
  operation: string,
): RequestAttributes['changedNames'] {
  if (operation !== 'simplereenroll') return undefined;
  checkReenrolment(csr, request.clientChain[0], profile.policy.renaming);
  return csr.changedNames;
}

/** serverkeygen (RFC 7030 4.4): the request's own key and signature are not looked at. */
export async function enrolWithServerKey(enrolment: Enrolment): Promise<FrontDoorAnswer> {
  const { world, profile, quirks, request } = enrolment;
  if (profile.serverKey === 'off') throw new EstRefusal(501, 'this server does not make keys');
  checkType(request);
  const csr = readUnverified(request.body);
  const recipient = csr.keyDelivery && recipientFor(csr.keyDelivery, profile.decryptKeys, request.clientChain[0]);
  const later = putOff(enrolment, csr.der, csr.subject);
  if (later) return later;
  const key = await makeServerKey(profile.serverKey);
  const issuer = await world.authorities.issuer(profile.ca);
  const wish = { ...csr, changedNames: undefined, spki: key.spki, keyType: key.keyType };
  const certificates = certificatesBody(await issue(enrolment, wish, issuer), quirks);
  const { contentType, body } = multipart(keyPart(key, recipient, issuer), certificates);
  const { 'content-transfer-encoding': _, ...headers } = headersOf(contentType, quirks);
  return { status: statusOf(quirks), headers, body };
}

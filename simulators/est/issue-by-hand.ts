import { readRequest } from './certificate-request.ts';
import { der, oid, pem, sequence, setOf, TAG } from './der.ts';
import { validity } from './enrol.ts';
import { EXTENSION, type Extension } from './extensions.ts';
import { generalName } from './general-name.ts';
import { type CertificateWish, issueFor, keyTypeOf } from './issue.ts';
import { nameText } from './name.ts';
import type { ServerKeyKind } from './profile.ts';
import { makeServerKey } from './server-key.ts';
import type { World } from './world.ts';

/** What is to be issued: to a request, or to a new key. */
export interface IssueWish {
  /** Profile and authority; the server's own where absent. */
  readonly label?: string;
  /** Name of another authority of the test PKI, `bootstrap` say. */
  readonly ca?: string;
  /** A PKCS#10 request, PEM or base64; its key, names and extensions. */
  readonly csr?: string;
  /** Without a request: the common name. */
  readonly commonName?: string;
  /** DNS names and IP addresses; without a request. */
  readonly sans?: readonly string[];
  readonly key?: ServerKeyKind;
  readonly lifetimeSeconds?: number;
  readonly notBeforeOffsetSeconds?: number;
}

/** What was issued; the key where it was made here. */
export interface IssuedCredential {
  readonly serial: string;
  readonly certificatePem: string;
  /** Leaf and issuing authority. */
  readonly chainPem: string;
  readonly keyPem?: string;
}

function alternativeNames(sans: readonly string[]): Extension[] {
  if (sans.length === 0) return [];
  const value = sequence(...sans.map(generalName));
  return [{ type: EXTENSION.subjectAlternativeName, critical: false, value }];
}

async function wishOf(wish: IssueWish): Promise<{ wish: CertificateWish; keyPem?: string }> {
  if (wish.csr !== undefined) {
    const csr = await readRequest(Buffer.from(wish.csr.replace(/-----[^-]+-----/g, '')));
    return { wish: { ...csr, changedNames: undefined, keyType: keyTypeOf(csr.publicKey) } };
  }
  const { spki, pkcs8, keyType } = await makeServerKey(wish.key ?? 'ec-p256');
  const name = sequence(oid('2.5.4.3'), der(TAG.utf8String, Buffer.from(wish.commonName ?? 'TEST device')));
  const plan = {
    subject: sequence(setOf(name)),
    extensions: alternativeNames(wish.sans ?? []),
    changedNames: undefined,
    spki,
    keyType,
  };
  return { wish: plan, keyPem: pem('PRIVATE KEY', pkcs8) };
}

/** Issues past every rule of enrolment, and enters the certificate in the ledger. @throws Error for a label or request that is none */
export async function issueByHand(world: World, asked: IssueWish): Promise<IssuedCredential> {
  const profile = world.profile(asked.label);
  if (!profile) throw new Error(`no label ${asked.label}`);
  const ca = asked.ca ?? profile.ca;
  const issuer = await world.authorities.issuer(ca);
  const { wish, keyPem } = await wishOf(asked);
  const times = validity(world.clock.now(), {
    ...profile,
    ...(asked.lifetimeSeconds === undefined ? {} : { certificateLifetimeSeconds: asked.lifetimeSeconds }),
    ...(asked.notBeforeOffsetSeconds === undefined ? {} : { notBeforeOffsetSeconds: asked.notBeforeOffsetSeconds }),
  });
  const written = issueFor(wish, { issuer, policy: profile.policy, ...times, key: 'own' });
  world.ledger.add({
    serial: written.serial,
    subject: nameText(wish.subject),
    ca,
    notBefore: times.notBefore.getTime(),
    notAfter: times.notAfter.getTime(),
    der: written.der,
  });
  const certificatePem = pem('CERTIFICATE', written.der);
  return {
    serial: written.serial,
    certificatePem,
    chainPem: certificatePem + pem('CERTIFICATE', issuer.certificate),
    ...(keyPem === undefined ? {} : { keyPem }),
  };
}

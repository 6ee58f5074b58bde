import { request } from 'node:https';
import { callUnix, type UnixAnswer } from './unix-call.ts';

/** What the host process gets to know: two sockets, and the root it trusts the hub by. */
export interface HostJob {
  /** The Unix user to be; absent: as started. */
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly identitydSocket: string;
  readonly keydSocket: string;
  readonly caPem: string;
  readonly cloud: 'simulated' | 'stopped';
}

export type HostOutcome =
  | {
      readonly kind: 'done';
      readonly moduleId: string;
      readonly genId: string;
      readonly hubName: string;
      readonly deviceId: string;
      /** Whether the hub took the token and refused a tampered one; null where the hub is stopped. */
      readonly sasAccepted: boolean | null;
    }
  | { readonly kind: 'failed'; readonly expected: string; readonly came: string; readonly remedy: string };

interface ModuleIdentity {
  readonly hubName: string;
  readonly gatewayHost: string;
  readonly deviceId: string;
  readonly moduleId: string;
  readonly genId: string;
  readonly auth: { readonly type: string; readonly keyHandle: string };
}

const TOKEN_LIFE_S = 3600;

/** The text that a SAS token signs for `audience`, and how the token is put together from its signature. */
export function sasToken(
  audience: string,
  expiry: number,
): { toSign: string; withSignature: (base64: string) => string } {
  const sr = encodeURIComponent(audience);
  return {
    toSign: `${sr}\n${expiry}`,
    withSignature: (base64) => `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(base64)}&se=${expiry}`,
  };
}

/** The same signature with one bit turned. */
export function tampered(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return bytes.toString('base64');
}

function statusAndText({ status, text }: UnixAnswer): string {
  return `${status} ${text}`;
}

/** Sends one device-to-cloud message as the module; resolves to the status. */
function sendMessage(identity: ModuleIdentity, token: string, caPem: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const path = ['devices', identity.deviceId, 'modules', identity.moduleId].map(encodeURIComponent).join('/');
  const body = JSON.stringify({ from: identity.moduleId, text: 'the host process says hello' });
  const url = `https://${identity.gatewayHost}/${path}/messages/events?api-version=2020-03-13`;
  const headers = {
    authorization: token,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
  };
  const call = request(url, { method: 'POST', ca: caPem, headers, agent: false }, (answer) => {
    answer.resume();
    answer.on('error', reject);
    answer.on('end', () => resolve(answer.statusCode ?? 0));
  });
  call.setTimeout(30_000, () => call.destroy(new Error('no answer from the hub within 30 s')));
  call.on('error', reject);
  call.end(body);
  return promise;
}

function isModuleIdentity(body: unknown): body is { spec: ModuleIdentity } {
  const spec = (body as { spec?: Partial<ModuleIdentity> } | undefined)?.spec;
  return typeof spec?.moduleId === 'string' && typeof spec.auth?.keyHandle === 'string';
}

/**
 * What an application on the device does: gets its identity, has keyd sign a SAS token, uses it at the hub, and sees that
 * the hub refuses the token once it is tampered with.
 *
 * @param now milliseconds since 1970
 */
export async function playHost(job: HostJob, now: () => number): Promise<HostOutcome> {
  const { identitydSocket, keydSocket } = job;
  const asked = await callUnix({
    socketPath: identitydSocket,
    method: 'GET',
    path: '/identities/identity?api-version=2020-09-01',
  });
  if (asked.status !== 200 || !isModuleIdentity(asked.body)) {
    return {
      kind: 'failed',
      expected: 'GET /identities/identity answers 200 with a module identity and its key handle',
      came: statusAndText(asked),
      remedy: 'see that identityd has a [[principal]] with the uid of the host process and idtype = ["module"]',
    };
  }
  const identity = asked.body.spec;
  const audience = `${identity.hubName}/devices/${identity.deviceId}/modules/${identity.moduleId}`;
  const { toSign, withSignature } = sasToken(audience, Math.floor(now() / 1000) + TOKEN_LIFE_S);
  const signed = await callUnix({
    socketPath: keydSocket,
    method: 'POST',
    path: '/sign?api-version=2020-09-01',
    body: {
      keyHandle: identity.auth.keyHandle,
      algorithm: 'HMAC-SHA256',
      parameters: { message: Buffer.from(toSign, 'utf8').toString('base64') },
    },
  });
  const signature = (signed.body as { signature?: unknown } | undefined)?.signature;
  if (signed.status !== 200 || typeof signature !== 'string') {
    return {
      kind: 'failed',
      expected: 'keyd signs the token: POST /sign answers 200 with a signature',
      came: statusAndText(signed),
      remedy: 'see the log of keyd; the handle is good only while its key and the handle-validation key exist',
    };
  }
  const { moduleId, genId, hubName, deviceId } = identity;
  const done = { kind: 'done', moduleId, genId, hubName, deviceId } as const;
  if (job.cloud === 'stopped') return { ...done, sasAccepted: null };

  const status = await sendMessage(identity, withSignature(signature), job.caPem);
  if (status < 200 || status > 299) {
    return {
      kind: 'failed',
      expected: 'the hub takes a message with the token (204)',
      came: `status ${status}`,
      remedy: 'compare the module in the hub with the key that identityd derives: a module made anew has new keys',
    };
  }
  const refused = await sendMessage(identity, withSignature(tampered(signature)), job.caPem);
  if (refused !== 401) {
    return {
      kind: 'failed',
      expected: 'the hub refuses a token with a changed signature (401)',
      came: `status ${refused}`,
      remedy: 'the hub does not check signatures: look at its authentication',
    };
  }
  return { ...done, sasAccepted: true };
}

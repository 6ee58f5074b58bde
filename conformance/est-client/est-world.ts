import { type Context, exchange, type WireResult } from '../runner/index.ts';
import { type Authorities, makeAuthorities } from './ca.ts';
import { type RenewalPlan, RenewalRun } from './renewal-run.ts';
import { makeRequest } from './replay.ts';
import { type Behaviour, startResponder } from './responder.ts';

let authorities: Promise<Authorities> | undefined;

/** The authorities of the suite; made once. */
export function sharedAuthorities(): Promise<Authorities> {
  authorities ??= makeAuthorities();
  return authorities;
}

/** What a certd with an EST server is told. */
export interface EstSetting extends Partial<RenewalPlan> {
  readonly server: Behaviour;
  /** Lines of `[cert_issuance.est]` beside the trusted certificate; basic authentication unless given. */
  readonly auth?: string;
  /** Lines of `[cert_issuance]`. */
  readonly issuance?: string;
  readonly scheme?: 'http';
}

export const BASIC = 'username = "estuser"\npassword = "estpwd"';
export const IDENTITY = 'identity_cert = "est-id"\nidentity_pk = "est-id"';
export const BOOTSTRAP = 'bootstrap_identity_cert = "est-bootstrap-id"\nbootstrap_identity_pk = "est-bootstrap-id"';

/** Starts keyd, an EST server and certd in a world of their own; certd only where `start` says so. */
export async function estWorld(context: Context, setting: EstSetting): Promise<RenewalRun> {
  const { server, auth = BASIC, issuance = '', scheme = 'https', held = [], ...plan } = setting;
  const ca = await sharedAuthorities();
  const responder = await startResponder(ca, server);
  const world = await context.fresh();
  world.onDispose(() => responder.close());
  const port = scheme === 'http' ? responder.httpPort : responder.port;
  const main = `homedir_path = "@ROOT@/certd/home"
[cert_issuance]
device-id = { method = "est" }
${issuance}
[cert_issuance.est]
trusted_certs = ["est-ca"]
${auth}
[cert_issuance.est.urls]
default = "${scheme}://127.0.0.1:${port}/.well-known/est"
[preloaded_certs]
est-ca = "file://@ROOT@/pre/est-ca.pem"
est-bootstrap-id = "file://@ROOT@/pre/bootstrap.pem"
`;
  await world.configure('certd', { main });
  const run = new RenewalRun(world, responder, ca, { held, ...plan });
  await run.prepare();
  await run.startCertd();
  return run;
}

/** Asks certd for a certificate from EST. */
export async function enrol({ world }: RenewalRun, certId = 'device-id', csr?: string): Promise<WireResult> {
  const body = { certId, csr: csr ?? (await makeRequest('ec')) };
  const request = { method: 'POST', target: '/certificates?api-version=2020-09-01', body };
  return exchange(world.socket('certd'), 0, request);
}

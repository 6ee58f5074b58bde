import type { X509Certificate } from 'node:crypto';
import { checkChain, checkSasToken, checkThumbprint, type Verdict } from '../credentials/index.ts';
import { HubError } from './errors.ts';
import type { DeviceIdentity, IdentityRegistry, ModuleIdentity } from './registry.ts';
import { deviceNotFound, moduleNotFound } from './registry.ts';

/** What a caller showed: its `Authorization` header and the certificates of its TLS handshake, leaf first. */
export interface Caller {
  authorization: string | undefined;
  certificates: readonly X509Certificate[];
}

/** Whom the caller proved to be. */
export interface Principal {
  kind: 'sas' | 'x509';
  deviceId: string;
  moduleId?: string;
  /** Which key of the pair signed, or how the certificate was matched. */
  by: string;
}

/** What a caller wants to act as: the device, or one module of it. */
export interface Target {
  deviceId: string;
  moduleId?: string;
}

/** What the decision rests on. */
export interface AccessRules {
  registry: IdentityRegistry;
  /** The names of the hub that a token may be for. */
  hostNames: readonly string[];
  /** Milliseconds since 1970. */
  now: number;
}

/** A refusal, with the reason that only the journal sees. */
export class AccessRefused extends HubError {
  readonly reason: string;

  constructor(reason: string, error = new HubError('unauthorized', 'Unauthorized')) {
    super(error.code, error.message);
    this.reason = reason;
  }
}

/**
 * Decides whether a caller may act as `target` (spec cloud.md 10.2 to 10.4). A device acts for itself and manages
 * its modules; a module token never does that, and only a module's own credential acts as the module.
 *
 * @throws AccessRefused 401 for any credential that proves nothing, 403 when the proven device is disabled, 404 when a
 * certificate of an authority that the hub trusts names a device that is not there.
 */
export function authorise(caller: Caller, target: Target, rules: AccessRules): Principal {
  const device = rules.registry.getDevice(target.deviceId);
  if (!device) throw refuseUnknownDevice(caller, target, rules);
  const identity = target.moduleId === undefined ? device : rules.registry.getModule(device.deviceId, target.moduleId);
  if (!identity) throw new AccessRefused(moduleNotFound(target.deviceId, target.moduleId ?? '').message);

  const verdict = checkIdentity(caller, target, identity, rules);
  if (!verdict.verified) throw new AccessRefused(verdict.reason);
  if (device.status === 'disabled') {
    throw new AccessRefused('device is disabled', new HubError('deviceDisabled', 'Device is disabled'));
  }
  return { kind: identity.authentication.type === 'sas' ? 'sas' : 'x509', ...target, by: verdict.by };
}

function checkIdentity(
  caller: Caller,
  target: Target,
  identity: DeviceIdentity | ModuleIdentity,
  rules: AccessRules,
): Verdict {
  const { authentication } = identity;
  switch (authentication.type) {
    case 'none':
      return { verified: false, reason: 'the identity has no credential' };
    case 'sas':
      return checkSasToken(caller.authorization, {
        resources: rules.hostNames.map((host) => resourceOf(host, target)),
        keys: [authentication.primaryKey, authentication.secondaryKey],
        policy: 'forbidden',
        now: rules.now,
      });
    case 'selfSigned': {
      const { primaryThumbprint, secondaryThumbprint } = authentication;
      const enrolled = [primaryThumbprint, secondaryThumbprint].filter((thumbprint) => thumbprint !== null);
      return checkThumbprint(caller.certificates, enrolled, { commonName: undefined, now: rules.now });
    }
    case 'certificateAuthority': {
      const anchors = [...authentication.caPem, ...rules.registry.listAuthorities()];
      return checkChain(caller.certificates, anchors, { commonName: nameOf(target), now: rules.now });
    }
  }
}

/** Nobody can have the key of a device that is not there; a trusted authority can vouch for its name. */
function refuseUnknownDevice(caller: Caller, target: Target, { registry, now }: AccessRules): AccessRefused {
  const reason = `device '${target.deviceId}' is not registered`;
  const vouched = checkChain(caller.certificates, registry.listAuthorities(), { commonName: nameOf(target), now });
  return vouched.verified ? new AccessRefused(reason, deviceNotFound(target.deviceId)) : new AccessRefused(reason);
}

function resourceOf(hostName: string, { deviceId, moduleId }: Target): string {
  const device = `${hostName}/devices/${deviceId}`;
  return moduleId === undefined ? device : `${device}/modules/${moduleId}`;
}

function nameOf({ deviceId, moduleId }: Target): string {
  return moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`;
}

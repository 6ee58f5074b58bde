import { constants } from 'node:crypto';
import { accessSync, constants as fsConstants } from 'node:fs';
import path from 'node:path';
import type { SecureContextOptions } from 'node:tls';

/** The name by which OpenSSL finds the engine: the name of the file without `.so`. */
const ENGINE_ID = 'aziot_keys';

/** The longest path that fits a unix socket address, its closing NUL left out. */
const MAX_SOCKET_PATH_BYTES = 107;

/** How the engine reaches keyd. */
export interface KeydEngineOptions {
  /**
   * The longest that a key load or a signature may wait for keyd, in milliseconds (50 to 600000). Without it the
   * engine waits up to 40 s, which covers keyd's own line of waiting connections.
   */
  readonly timeoutMs?: number;
}

/** Who a TLS context speaks as: a key pair in keyd, and the certificates for it. */
export interface KeydIdentity {
  /** The handle of the key pair (`sr=…&sig=…`), or its key id if this process may ask keyd for the handle. */
  readonly keyHandle: string;
  /** The leaf certificate and its intermediates as PEM, leaf first. */
  readonly certificateChainPem: string;
}

/**
 * The path of the engine, or undefined when it cannot be used: it is not built (`impl/openssl/build.sh` builds it),
 * or this Node was compiled without OpenSSL engines.
 */
export function enginePath(): string | undefined {
  if (!('ENGINE_METHOD_ALL' in constants)) return undefined;
  const file = path.join(import.meta.dirname, 'build', `${ENGINE_ID}.so`);
  try {
    accessSync(file, fsConstants.R_OK);
    return file;
  } catch {
    return undefined;
  }
}

/**
 * Lets this process make TLS signatures through keyd: tells OpenSSL where the engine is and the engine where keyd is,
 * by the environment variables OPENSSL_ENGINES, AZIOT_KEYD_SOCKET and AZIOT_KEYD_TIMEOUT_MS. The socket counts for
 * the keys that are loaded afterwards; keys that are loaded already keep theirs.
 *
 * Throws a RangeError for a path that cannot be a socket or a time-out out of range, and an Error when there is no
 * usable engine.
 */
export function useKeydEngine(keydSocketPath: string, options: KeydEngineOptions = {}): void {
  if (!path.isAbsolute(keydSocketPath) || Buffer.byteLength(keydSocketPath) > MAX_SOCKET_PATH_BYTES) {
    throw new RangeError(
      `keyd socket path "${keydSocketPath}" must be absolute and have at most ${MAX_SOCKET_PATH_BYTES} bytes`,
    );
  }
  const { timeoutMs } = options;
  if (timeoutMs !== undefined && !(Number.isInteger(timeoutMs) && timeoutMs >= 50 && timeoutMs <= 600_000)) {
    throw new RangeError(`keyd time-out ${timeoutMs} must be a whole number from 50 to 600000 milliseconds`);
  }
  const engine = enginePath();
  if (engine === undefined) {
    throw new Error(
      'the OpenSSL engine of keyd is not built or not supported by this Node; run: impl/openssl/build.sh',
    );
  }
  // By file path OpenSSL would load the engine anew for every context; by id it finds the one it has.
  process.env['OPENSSL_ENGINES'] = path.dirname(engine);
  process.env['AZIOT_KEYD_SOCKET'] = keydSocketPath;
  if (timeoutMs === undefined) delete process.env['AZIOT_KEYD_TIMEOUT_MS'];
  else process.env['AZIOT_KEYD_TIMEOUT_MS'] = String(timeoutMs);
}

/**
 * Options for `tls.createSecureContext` (and so for `tls.connect`, `https.Agent` and `tls.createServer`) whose private
 * key is in keyd. Call `useKeydEngine` first.
 *
 * `createSecureContext` then asks keyd for the public key, and throws when keyd refuses, cannot be reached, or when
 * the key is not that of the certificate. Each full handshake asks keyd for one signature. OpenSSL's hooks are
 * synchronous: **the calling thread blocks** meanwhile, some milliseconds as a rule, at worst `timeoutMs`. So keyd
 * must run in another process (or thread), never on the event loop that makes the handshake.
 *
 * Source: specification openssl.md 5.
 */
export function keydSecureContextOptions(identity: KeydIdentity): SecureContextOptions {
  return {
    cert: identity.certificateChainPem,
    privateKeyEngine: ENGINE_ID,
    privateKeyIdentifier: identity.keyHandle,
  };
}

/** Raised when a certificate cannot be asked for because of the configuration; no request is then sent. */
export class EstSettingsError extends Error {
  override readonly name = 'EstSettingsError';
}

/** The operations that are used (RFC 7030 3.2.2). */
export type EstOperation = 'simpleenroll' | 'simplereenroll' | 'cacerts' | 'csrattrs';

/** EST URLs of a configuration. */
export interface EstUrls {
  /** `cert_issuance.<certId>.url`. */
  readonly own?: string | undefined;
  /** `cert_issuance.est.urls`: by certificate id, and `default`. */
  readonly table: Readonly<Record<string, string>>;
}

/**
 * The base URL for a certificate: its own, else the table's for its id, else the table's default (spec/est.md 1.1).
 *
 * @throws EstSettingsError when there is none.
 */
export function chooseUrl(urls: EstUrls, certId: string): string {
  const fromTable = (key: string) => (Object.hasOwn(urls.table, key) ? urls.table[key] : undefined);
  const url = urls.own ?? fromTable(certId) ?? fromTable('default');
  if (url === undefined) {
    throw new EstSettingsError(`EST URL is not configured for "${certId}"; set cert_issuance.est.urls.default`);
  }
  return url;
}

/** What is wrong with a base URL, or undefined when requests can be sent to it. */
export function faultOfUrl(text: string): string | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return 'is not an absolute URL';
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'is neither https nor http';
  if (/[?#]/.test(text)) return 'has a query or fragment, behind which no operation can be appended';
  if (url.username !== '' || url.password !== '')
    return 'has a user name or password; use the keys username and password';
  return undefined;
}

/**
 * URL of an operation: the base, a slash unless it ends in one, the operation (spec/est.md 1.1).
 *
 * @throws EstSettingsError for a base that {@link faultOfUrl} complains about.
 */
export function operationUrl(base: string, operation: EstOperation): URL {
  const fault = faultOfUrl(base);
  if (fault) throw new EstSettingsError(`EST URL ${fault}`);
  return new URL(`${base}${base.endsWith('/') ? '' : '/'}${operation}`);
}

/** An HTTPS proxy as the environment names it. Plain data, so that it can cross to another thread. */
export interface ProxySettings {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** Value of the `proxy-authorization` header; secret. */
  readonly authorization: string | undefined;
  /** Hosts that are reached directly, from `NO_PROXY`, lower case: `*`, `host`, `.suffix`, each with an optional `:port`. */
  readonly except: readonly string[];
  /** The URL with its password masked, for the log. */
  readonly display: string;
}

type Env = Readonly<Record<string, string | undefined>>;

function decodeUserInfo(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function basic(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined;
  const pair = `${decodeUserInfo(url.username)}:${decodeUserInfo(url.password)}`;
  return `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`;
}

function parseProxy(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new Error('invalid proxy uri: set HTTPS_PROXY to http://host:port');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error('invalid proxy uri: the scheme must be http or https');
  }
  return url;
}

const bareHost = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, '$1');

/**
 * Reads the proxy from the environment: `HTTPS_PROXY`, else `https_proxy`; an empty value means none. `NO_PROXY` (else `no_proxy`)
 * lists exceptions (spec/cloud.md 1.2; the exceptions are ours). Throws `invalid proxy uri` for a value that is no http(s) URL; the
 * message never holds the value, which may contain a password.
 */
export function proxyFrom(env: Env): ProxySettings | undefined {
  const text = env['HTTPS_PROXY'] || env['https_proxy'];
  if (!text) return undefined;
  const url = parseProxy(text);
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const masked = new URL(url);
  if (masked.password !== '') masked.password = '******';
  return {
    scheme,
    host: bareHost(url.hostname),
    port: url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port),
    authorization: basic(url),
    except: (env['NO_PROXY'] || env['no_proxy'] || '')
      .toLowerCase()
      .split(/[\s,]+/)
      .filter(Boolean),
    display: masked.href,
  };
}

function covers(entry: string, host: string, port: number): boolean {
  if (entry === '*') return true;
  const withPort = /^(.*):(\d+)$/.exec(entry);
  const name = (withPort && !withPort[1]?.includes(':') ? withPort[1] : entry) ?? '';
  if (withPort && name !== entry && Number(withPort[2]) !== port) return false;
  const suffix = name.replace(/^\*?\./, '');
  return host === suffix || host.endsWith(`.${suffix}`);
}

/** The proxy to use for a target, or undefined where there is none or `NO_PROXY` covers the host (name and subdomains). */
export function proxyForHost(proxy: ProxySettings | undefined, host: string, port: number): ProxySettings | undefined {
  if (!proxy) return undefined;
  const target = bareHost(host).toLowerCase();
  return proxy.except.some((entry) => covers(entry, target, port)) ? undefined : proxy;
}

import type { Static } from 'typebox';
import {
  ConfigError,
  type ConfigPaths,
  DEFAULT_MAX_REQUESTS,
  describeKey,
  endpointsFrom,
  loadConfig,
} from '../config/index.ts';
import { faultOfUrl } from '../est/index.ts';
import { DEFAULT_POLICY, type Policy, PolicyError, parsePolicy, type RenewalPolicy } from '../renewal/index.ts';
import { commonNameEntries, subjectTableEntries } from '../x509/index.ts';
import { readAuth, uniteAuthKeys } from './auth-settings.ts';
import { findCycle, type Preloaded, readPreloaded } from './preloaded.ts';
import { unitePrincipals } from './principals.ts';
import type { EstSettings, IssuanceEntry, Settings, SubjectRule } from './settings.ts';
import { type EST, type ISSUANCE_ENTRY, SETTINGS } from './settings-schema.ts';

type Path = readonly string[];

/** Names a key with file and line, and collects what is wrong but bearable. */
interface Notes {
  describe(path: Path): string;
  warn(path: Path, fault: string): void;
}

const DEFAULT_EXPIRY_DAYS = 30;

/** Settings with what is to be logged about them. */
export interface LoadedSettings {
  readonly settings: Settings;
  readonly warnings: readonly string[];
  /** Faults that cost some requests, for the error level. */
  readonly errors: readonly string[];
}

/** Reads and checks certd's configuration. Throws ConfigError when it cannot be used at all; nothing is half applied. */
export async function loadSettings(paths: ConfigPaths): Promise<LoadedSettings> {
  const { value, warnings: unknown, sources } = await loadConfig({ ...paths, schema: SETTINGS });
  const warnings = [...unknown];
  const notes: Notes = {
    describe: (path) => describeKey(sources, path),
    warn: (path, fault) => warnings.push(`${describeKey(sources, path)} ${fault}`),
  };
  const { est, local_ca: localCa, ...entries } = value.cert_issuance ?? {};
  const preloaded = readAllPreloaded(value.preloaded_certs ?? {}, notes);
  const cycle = findCycle(preloaded);
  const settings: Settings = {
    homedir: value.homedir_path,
    maxRequests: value.max_requests ?? DEFAULT_MAX_REQUESTS,
    endpoints: endpointsFrom(value.endpoints, (message) => warnings.push(message)),
    issuance: new Map(
      Object.entries(entries).map(([id, entry]) => [id, readEntry(id, entry as Static<typeof ISSUANCE_ENTRY>, notes)]),
    ),
    localCa,
    est: readEst(est ?? {}, notes),
    preloaded,
    principals: unitePrincipals(value.principal ?? []),
  };
  const errors = cycle
    ? [`preloaded_certs: bundle leads back to itself: ${cycle.join(' -> ')}; its members cannot be read`]
    : [];
  return { settings, warnings, errors };
}

function readAllPreloaded(
  table: Readonly<Record<string, string | readonly string[]>>,
  notes: Notes,
): ReadonlyMap<string, Preloaded> {
  const preloaded = new Map<string, Preloaded>();
  for (const [id, value] of Object.entries(table)) {
    const path = ['preloaded_certs', id];
    const entry = readPreloaded(value);
    if (!entry) throw new ConfigError(`${notes.describe(path)} is not an absolute URL; write file:///path`);
    if (entry.kind === 'unusable') notes.warn(path, `cannot be read: ${entry.fault}`);
    preloaded.set(id, entry);
  }
  return preloaded;
}

function readEntry(id: string, entry: Static<typeof ISSUANCE_ENTRY>, notes: Notes): IssuanceEntry {
  const path = ['cert_issuance', id];
  const isEst = entry.method === 'est';
  return {
    method: entry.method,
    expiryDays: entry.expiry_days ?? DEFAULT_EXPIRY_DAYS,
    subject: readSubject(entry, path, notes),
    url: isEst ? readUrl(entry.url, [...path, 'url'], notes) : undefined,
    auth: isEst ? readAuth(entry, (key, fault) => notes.warn([...path, key], fault)) : {},
  };
}

function readSubject(entry: Static<typeof ISSUANCE_ENTRY>, path: Path, notes: Notes): SubjectRule {
  const { common_name: commonName, subject } = entry;
  if (commonName !== undefined && subject !== undefined)
    notes.warn([...path, 'subject'], 'has no effect beside common_name');
  if (typeof commonName === 'string') return { kind: 'entries', entries: commonNameEntries(commonName) };
  if (commonName !== undefined) return defective([...path, 'common_name'], 'is not a string', notes);
  if (subject === undefined) return { kind: 'from-request' };
  const table = typeof subject === 'object' && subject !== null && !Array.isArray(subject) ? subject : undefined;
  if (!table || !Object.values(table).every((value) => typeof value === 'string')) {
    return defective([...path, 'subject'], 'is not a table of strings', notes);
  }
  return { kind: 'entries', entries: subjectTableEntries(table as Record<string, string>) };
}

function defective(path: Path, fault: string, notes: Notes): SubjectRule {
  notes.warn(path, `${fault}; certificates of this id cannot be issued`);
  return { kind: 'defective', fault: `${notes.describe(path)} ${fault}` };
}

function readUrl(value: unknown, path: Path, notes: Notes): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !URL.canParse(value))
    throw new ConfigError(`${notes.describe(path)} is not an absolute URL`);
  const fault = faultOfUrl(value);
  if (fault) notes.warn(path, `${fault}; requests to it will fail`);
  else if (value.startsWith('http:')) notes.warn(path, 'has no TLS; credentials and certificates travel in clear');
  return value;
}

function readEst(est: Static<typeof EST>, notes: Notes): EstSettings {
  const path = ['cert_issuance', 'est'];
  const keys = uniteAuthKeys(est, est.auth, (key) =>
    notes.warn([...path, 'auth', key], `has no effect, since cert_issuance.est.${key} says otherwise`),
  );
  for (const [key, url] of Object.entries(est.urls ?? {})) readUrl(url, [...path, 'urls', key], notes);
  return {
    trustedCerts: est.trusted_certs ?? [],
    auth: readAuth(keys, (key, fault) => notes.warn([...path, key], fault)),
    urls: est.urls ?? {},
    renewal: readRenewal(est.identity_auto_renew ?? {}, [...path, 'identity_auto_renew'], notes),
    operation: est.identity_auto_renew?.operation ?? 'simpleenroll',
    csrAttributes: est.csr_attributes ? 'ask' : 'ignore',
  };
}

function readRenewal(
  table: { readonly rotate_key?: boolean; readonly threshold?: string; readonly retry?: string },
  path: Path,
  notes: Notes,
): RenewalPolicy {
  const policyOf = (key: 'threshold' | 'retry'): Policy => {
    const text = table[key];
    if (text === undefined) return DEFAULT_POLICY[key];
    try {
      return parsePolicy(text);
    } catch (error) {
      if (!(error instanceof PolicyError) || error.fault === 'unreadable') {
        throw new ConfigError(`${notes.describe([...path, key])}: ${(error as Error).message}`);
      }
      notes.warn([...path, key], 'is too long a time; using the default');
      return DEFAULT_POLICY[key];
    }
  };
  return {
    rotateKey: table.rotate_key ?? DEFAULT_POLICY.rotateKey,
    threshold: policyOf('threshold'),
    retry: policyOf('retry'),
  };
}

import Type, { type TProperties } from 'typebox';

const strict = <T extends TProperties>(properties: T) => Type.Object(properties, { additionalProperties: false });
const optional = Type.Optional;
const words = <T extends string>(...values: readonly T[]) =>
  Type.Union(values.map((value) => Type.Literal(value)) as [ReturnType<typeof Type.Literal<T>>]);
const Text = Type.String({ maxLength: 65_536 });
const Name = Type.String({ minLength: 1, maxLength: 256 });
const Flag = optional(Type.Boolean());
const Seconds = Type.Integer({ minimum: 0, maximum: 3_153_600_000 });
const Milliseconds = Type.Integer({ minimum: 0, maximum: 3_600_000 });
const Operation = words('cacerts', 'simpleenroll', 'simplereenroll', 'csrattrs', 'serverkeygen', 'fullcmc');
const Purpose = words(
  'serverAuth',
  'clientAuth',
  'codeSigning',
  'emailProtection',
  'timeStamping',
  'ocspSigning',
  'anyExtendedKeyUsage',
);
const ServerKey = words('ec-p256', 'ec-p384', 'rsa-2048', 'rsa-3072', 'rsa-4096');

const QUIRKS = strict({
  operation: optional(Operation),
  label: optional(Name),
  unwrappedBase64: Flag,
  body: optional(words('wrapped', 'wrapped-lf', 'unwrapped', 'pem', 'der', 'bad-base64')),
  created: Flag,
  status: optional(Type.Integer({ minimum: 200, maximum: 599 })),
  redirect: optional(Text),
  html: Flag,
  foreignLeaf: Flag,
  expiredLeaf: Flag,
  missingContentType: Flag,
  contentType: optional(Type.String({ maxLength: 1024, pattern: '^[\\x20-\\x7e]*$' })),
  missingTransferEncoding: Flag,
  pending: optional(
    strict({
      times: Type.Integer({ minimum: 0 }),
      retryAfterSeconds: Seconds,
      form: optional(words('seconds', 'date', 'absent')),
    }),
  ),
  chainIncluded: Flag,
  chainReversed: Flag,
  duplicates: Flag,
  extraRoots: Flag,
  crls: Flag,
  empty: Flag,
  noCertificates: Flag,
  wrongMessageType: Flag,
  indefiniteLengths: Flag,
  closeMidBody: Flag,
  delayMilliseconds: optional(Milliseconds),
  slowBytesMilliseconds: optional(Milliseconds),
  never: Flag,
});

/** One set of quirks, or several that hold at once. */
export const QUIRKS_BODY = Type.Union([QUIRKS, Type.Array(QUIRKS, { maxItems: 100 })]);

const CREDENTIALS = Type.Array(strict({ username: Name, password: Text }));
const AUTH = strict({
  basic: optional(CREDENTIALS),
  digest: optional(CREDENTIALS),
  clientCas: optional(Type.Array(Text)),
  require: optional(words('either', 'both', 'none')),
});
const KEYS = strict({
  types: optional(Type.Array(words('rsa', 'ec', 'ed25519'))),
  shortestRsa: optional(Type.Integer({ minimum: 512 })),
  longestRsa: optional(Type.Integer({ maximum: 16_384 })),
  curves: optional(Type.Array(Name)),
});
const POLICY = strict({
  keys: optional(KEYS),
  allowedPurposes: optional(Type.Array(Purpose, { minItems: 1 })),
  defaultPurposes: optional(Type.Array(Purpose, { minItems: 1 })),
  authority: optional(strict({ pathLength: optional(Type.Integer({ minimum: 0, maximum: 16 })) })),
  subject: optional(words('any', 'principal')),
  renaming: optional(words('allowed', 'refused')),
});
const CSR_ATTRIBUTE = Type.Union([
  Name,
  strict({ type: Name, values: Type.Array(Name) }),
  strict({ purposes: Type.Array(Purpose, { minItems: 1 }) }),
  strict({ extension: Name, critical: optional(Type.Literal(true)), value: Text }),
]);

const PROFILE = {
  auth: optional(AUTH),
  ca: optional(Type.String({ pattern: '^[a-z0-9-]{1,40}$' })),
  permitted: optional(Type.Array(Name)),
  possession: optional(words('off', 'checked', 'required')),
  approval: optional(words('automatic', 'manual')),
  retryAfterSeconds: optional(Seconds),
  policy: optional(POLICY),
  certificateLifetimeSeconds: optional(Type.Integer({ minimum: 1, maximum: 3_153_600_000 })),
  notBeforeOffsetSeconds: optional(Type.Integer({ minimum: -3_153_600_000, maximum: 3_153_600_000 })),
  csrAttributes: optional(Type.Array(CSR_ATTRIBUTE, { maxItems: 100 })),
  serverKey: optional(Type.Union([ServerKey, Type.Literal('off')])),
  decryptKeys: optional(
    Type.Record(Type.String({ pattern: '^([0-9a-f]{2})+$' }), Type.String({ pattern: '^[0-9a-f]+$' })),
  ),
};

/** A profile, or what it changes. */
export const PROFILE_BODY = strict(PROFILE);

/** The file of `--config`. */
export const CONFIG_FILE = strict({
  ...PROFILE,
  labels: optional(Type.Record(Type.String(), PROFILE_BODY)),
  quirks: optional(QUIRKS_BODY),
  hosts: optional(Type.Array(Name, { minItems: 1 })),
});

const FAULT = Type.Union([
  strict({
    kind: Type.Literal('status'),
    status: Type.Integer({ minimum: 200, maximum: 599 }),
    body: optional(Text),
    headers: optional(Type.Record(Type.String(), Type.String())),
  }),
  strict({ kind: words('bad-json', 'html', 'never', 'close-mid-body', 'reset') }),
  strict({ kind: words('delay', 'slow-bytes'), milliseconds: Milliseconds }),
]);

export const FAIL_BODY = strict({
  times: optional(Type.Integer({ minimum: 1 })),
  where: optional(Text),
  probability: optional(Type.Number({ minimum: 0, maximum: 1 })),
  fault: optional(FAULT),
});

export const ISSUE_BODY = strict({
  label: optional(Name),
  ca: PROFILE.ca,
  csr: optional(Text),
  commonName: optional(Type.String({ minLength: 1, maxLength: 64 })),
  sans: optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' }), { maxItems: 100 }),
  ),
  key: optional(ServerKey),
  lifetimeSeconds: optional(Type.Integer({ minimum: 1, maximum: 3_153_600_000 })),
  notBeforeOffsetSeconds: PROFILE.notBeforeOffsetSeconds,
});

export const REVOKE_BODY = strict({
  serial: Type.String({ pattern: '^([0-9A-Fa-f]{2}){1,20}$' }),
  reason: optional(
    words(
      'unspecified',
      'keyCompromise',
      'cACompromise',
      'affiliationChanged',
      'superseded',
      'cessationOfOperation',
      'privilegeWithdrawn',
    ),
  ),
});

export const ID_BODY = strict({ id: Name });

export const CLOCK_BODY = strict({
  now: optional(Type.String({ maxLength: 64 })),
  turnSeconds: optional(Type.Number({ minimum: -1e10, maximum: 1e10 })),
  state: optional(words('running', 'standing')),
});

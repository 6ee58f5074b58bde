import { eventTurn } from '../files/index.ts';
import { decodeBase64, type Method, plain, type Reply, type Route, type ServiceApi, withBody } from '../ipc/index.ts';
import { CREATE_KEY, CREATE_PAIR, DECRYPT, DERIVE, ENCRYPT, KEY_HANDLE, MOVE, SIGN } from './bodies.ts';
import type { KeyListing } from './key-listing.ts';
import type { KeyUse } from './key-place.ts';
import { type KeyService, pairParameter } from './key-service.ts';

const NO_CONTENT: Reply = { status: 204 };
const handle = (keyHandle: string): Reply => ({ status: 200, body: { keyHandle } });
const bytes = (name: string, value: Buffer): Reply => ({ status: 200, body: { [name]: value.toString('base64') } });

/** `derive` and `sign` are one use of a token key, `encrypt` the other (spec/keys-service.md 6.2). */
function useOf(usage: string): KeyUse {
  const names = new Set(usage.split(',').map((name) => (name === 'encrypt' ? 'aes' : 'hmac')));
  if (names.size > 1) return 'mixed';
  return names.has('aes') ? 'aes' : 'hmac';
}

function creation(keys: KeyService): Route[] {
  return [
    {
      path: /^\/key$/,
      methods: {
        POST: withBody(CREATE_KEY, async ({ uid, body }) => {
          const imported = body.keyBytes == null ? undefined : decodeBase64(body.keyBytes);
          return handle(await keys.createKey(uid, body.keyId, useOf(body.usage), imported));
        }),
        DELETE: withBody(KEY_HANDLE, async ({ uid, body }) => {
          await keys.deleteKey(uid, body.keyHandle);
          return NO_CONTENT;
        }),
      },
    },
    {
      path: /^\/keypair$/,
      methods: {
        POST: withBody(CREATE_PAIR, async ({ uid, body }) =>
          handle(await keys.createPair(uid, body.keyId, body.preferredAlgorithms)),
        ),
        DELETE: withBody(KEY_HANDLE, async ({ uid, body }) => {
          await keys.deletePair(uid, body.keyHandle);
          return NO_CONTENT;
        }),
      },
    },
  ];
}

/** GET loads, POST moves the key pair named in the body to this id. */
function byId(keys: KeyService): Route {
  return {
    path: /^\/(key|keypair)\/([^/]+)$/,
    methods: {
      GET: plain(async ({ uid, params: [type = '', id = ''] }) =>
        handle(await (type === 'key' ? keys.loadKey(uid, id) : keys.loadPair(uid, id))),
      ),
      POST: withBody(MOVE, async ({ uid, params: [type = '', id = ''], body }) => {
        await keys.movePair(uid, type, body.from, id);
        return NO_CONTENT;
      }),
    },
  };
}

function derivation(keys: KeyService): Route[] {
  return [
    {
      path: /^\/parameters\/([^/]+)$/,
      methods: {
        POST: withBody(KEY_HANDLE, async ({ uid, params: [name = ''], body }) => {
          const value = pairParameter(await keys.pairParts(uid, body.keyHandle), name);
          return { status: 200, body: { value } };
        }),
      },
    },
    {
      path: /^\/derivedkey$/,
      methods: {
        POST: withBody(DERIVE, async ({ uid, body }) =>
          handle(await keys.derive(uid, body.baseKeyHandle, decodeBase64(body.derivationData))),
        ),
      },
    },
    {
      path: /^\/derivedkey\/export$/,
      methods: {
        POST: withBody(KEY_HANDLE, async ({ uid, body }) =>
          bytes('key', await keys.exportDerived(uid, body.keyHandle)),
        ),
      },
    },
  ];
}

const aead = (parameters: { readonly iv: string; readonly aad: string }) => ({
  iv: decodeBase64(parameters.iv),
  aad: decodeBase64(parameters.aad),
});

function use(keys: KeyService): Route[] {
  return [
    {
      path: /^\/sign$/,
      methods: {
        POST: withBody(SIGN, async ({ uid, body }) => {
          const input = body.algorithm === 'ECDSA' ? body.parameters.digest : body.parameters.message;
          return bytes('signature', await keys.sign(uid, body.keyHandle, body.algorithm, decodeBase64(input)));
        }),
      },
    },
    {
      path: /^\/encrypt$/,
      methods: {
        POST: withBody(ENCRYPT, async ({ uid, body }) => {
          const input = decodeBase64(body.plaintext);
          const output =
            body.algorithm === 'AEAD'
              ? keys.seal(uid, body.keyHandle, aead(body.parameters), input)
              : keys.encryptRsa(uid, body.keyHandle, body.algorithm, input);
          return bytes('ciphertext', await output);
        }),
      },
    },
    {
      path: /^\/decrypt$/,
      methods: {
        POST: withBody(DECRYPT, async ({ uid, body }) => {
          if (body.algorithm !== 'AEAD') return keys.refuseDecryption(uid, body.keyHandle);
          const input = decodeBase64(body.ciphertext);
          return bytes('plaintext', await keys.open(uid, body.keyHandle, aead(body.parameters), input));
        }),
      },
    },
  ];
}

/** What keyd holds, for operators; ours, the reference has no such path. */
function listing(list: KeyListing): Route {
  return {
    path: /^\/keys$/,
    since: '2021-05-01',
    methods: { GET: plain(async ({ uid, query }) => ({ status: 200, body: await list.list(uid, query) })) },
  };
}

/** Lets file events that came before the request be heard before its keys are read; see FileCache. */
function afterTurn(method: Method): Method {
  return {
    ...method,
    async handle(call) {
      await eventTurn();
      return method.handle(call);
    },
  };
}

/** keyd's HTTP API; every path of the reference is served in both versions, as the reference does (spec/keys-service.md 3.5). */
export function keydApi(keys: KeyService, list: KeyListing): ServiceApi {
  const routes = [...creation(keys), byId(keys), ...derivation(keys), ...use(keys), listing(list)];
  return {
    name: 'keyd',
    versions: ['2020-09-01', '2021-05-01'],
    routes: routes.map(({ methods, ...route }) => ({
      ...route,
      methods: Object.fromEntries(Object.entries(methods).map(([verb, method]) => [verb, afterTurn(method)])),
    })),
    closeAfterNoContent: true,
  };
}

import Type from 'typebox';
import { Base64, decodeBase64, internalError, plain, type ServiceApi, withBody } from '../ipc/index.ts';
import type { TpmService } from './service.ts';

/** Room for 1 MiB of data in base64, and its JSON. */
const LARGEST_BODY_BYTES = 1_500_000;

const IMPORT = Type.Object({ key: Base64 });
const SIGN = Type.Object({ data: Base64 });

async function orInternal<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw internalError(error);
  }
}

/** tpmd's HTTP API (spec/tpm-service.md 1). Whoever may connect may call everything; no answer tells what the TPM said. */
export function tpmdApi(tpm: TpmService): ServiceApi {
  return {
    name: 'tpmd',
    versions: ['2020-09-01'],
    largestBodyBytes: LARGEST_BODY_BYTES,
    routes: [
      {
        path: /^\/get_tpm_keys$/,
        methods: {
          GET: plain(async () => {
            const { endorsementKey, storageRootKey } = await orInternal(tpm.keys());
            const body = {
              endorsement_key: endorsementKey.toString('base64'),
              storage_root_key: storageRootKey.toString('base64'),
            };
            return { status: 200, body };
          }),
        },
      },
      {
        path: /^\/import_auth_key$/,
        methods: {
          POST: withBody(IMPORT, async ({ body }) => {
            await orInternal(tpm.importAuthKey(decodeBase64(body.key)));
            return { status: 200, body: {} };
          }),
        },
      },
      {
        path: /^\/sign_with_auth_key$/,
        methods: {
          POST: withBody(SIGN, async ({ body }) => {
            const digest = await orInternal(tpm.signWithAuthKey(decodeBase64(body.data)));
            return { status: 200, body: { digest: digest.toString('base64') } };
          }),
        },
      },
    ],
  };
}

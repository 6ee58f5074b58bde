import { type Handle, PKCS11 } from 'pkcs11js';

// ECDSA by pkcs11js alone, no HTTP and no other process. argv: module, seconds, sessions. Writes the higher of two rates: one
// session at once on this thread, and all sessions on threads.
const [module = '', seconds = '1', count = '1'] = process.argv.slice(2);
const CKM_EC_KEY_PAIR_GEN = 0x1040;
const CKM_ECDSA = 0x1041;
const DIGEST = Buffer.alloc(32, 7);

const cryptoki = new PKCS11();
cryptoki.load(module);
cryptoki.C_Initialize({ flags: 2 });
const [slot] = cryptoki.C_GetSlotList(true);
if (!slot) throw new Error('no token');
const sessions = Array.from({ length: Number(count) }, () => cryptoki.C_OpenSession(slot, 2 | 4));
const [first] = sessions;
if (!first) throw new Error('no session');
cryptoki.C_Login(first, 1, '1234');
const { privateKey } = cryptoki.C_GenerateKeyPair(
  first,
  { mechanism: CKM_EC_KEY_PAIR_GEN },
  [{ type: 0x180, value: Buffer.from('06082a8648ce3d030107', 'hex') }],
  [{ type: 0x108, value: true }],
);

const end = () => performance.now() + Number(seconds) * 1000;

async function rate(callers: readonly Handle[], one: (session: Handle) => Promise<unknown> | unknown): Promise<number> {
  const until = end();
  const begin = performance.now();
  let done = 0;
  await Promise.all(
    callers.map(async (session) => {
      while (performance.now() < until) {
        cryptoki.C_SignInit(session, { mechanism: CKM_ECDSA }, privateKey);
        await one(session);
        done++;
      }
    }),
  );
  return (done * 1000) / (performance.now() - begin);
}

const atOnce = await rate([first], (session) => cryptoki.C_Sign(session, DIGEST, Buffer.alloc(128)));
const onThreads = await rate(sessions, (session) => cryptoki.C_SignAsync(session, DIGEST, Buffer.alloc(128)));
process.stdout.write(String(Math.max(atOnce, onThreads)));
process.exit(0);

/** The door of the room: a cloud as a separate process, and the proxy that leads the daemons to it. */
export type { CloudDocument, CloudListener, HubModule, SeenRequest, TestCredential } from './cloud-process.ts';
export { CloudProcess } from './cloud-process.ts';
export { attachCloud, type CloudLink, cloudOf, cutAll, leadAll, startIdentityd } from './cloud-world.ts';
export { ConnectProxy, type SeenConnect } from './connect-proxy.ts';

/** The door of the room: a cloud as a separate process or as a stand-in, and the proxy that leads the daemons to it. */
export { cloudChecklist } from './checklist.ts';
export type { CloudDocument, CloudListener, HubModule, SeenRequest, TestCredential } from './cloud-process.ts';
export { CloudProcess } from './cloud-process.ts';
export { attachCloud, type CloudLink, cloudOf, cutAll, leadAll, startIdentityd } from './cloud-world.ts';
export { ConnectProxy, type SeenConnect } from './connect-proxy.ts';
export { type ScriptedFault, type ServerCredential, StandInCloud } from './stand-in-cloud.ts';
export { type CloudRequest, headerOf, pathOf } from './stand-in-request.ts';

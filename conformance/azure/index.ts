export { type ServiceAnswer, type ServiceRequest, send } from './client.ts';
export { expectAnswer, expectDpsError, expectHubError, isBase64, isText, needed } from './expect.ts';
export { cloudTarget, endCloudTarget } from './find-target.ts';
export { deviceKeyOf, sasToken, withOtherSignature } from './sas.ts';
export { forged, stranger } from './stranger.ts';
export type { CertificatePair, CloudTarget, DeviceKeys, DpsTarget, Endpoint, HubTarget } from './target.ts';

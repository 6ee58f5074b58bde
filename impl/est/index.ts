export { EstError } from './answer.ts';
export { type BasicAuth, chooseAuth, type EstAuth, type IdentityIds, isUsableAuth } from './auth.ts';
export { createEstClient, type Enrolment, type EstAccess, type EstClient } from './client.ts';
export { type CsrAttributes, NO_ATTRIBUTES } from './csr-attributes.ts';
export { chooseUrl, EstSettingsError, faultOfUrl } from './target.ts';

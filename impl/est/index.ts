export { EstError } from './answer.ts';
export { type BasicAuth, chooseAuth, type EstAuth, type IdentityIds, isUsableAuth } from './auth.ts';
export { createEstClient, type Enrolment, type EstClient } from './client.ts';
export { chooseUrl, EstSettingsError, faultOfUrl } from './target.ts';

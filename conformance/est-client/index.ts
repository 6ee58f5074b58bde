export {
  type Authorities,
  CA,
  DAY_MS,
  type Holder,
  issueHolder,
  makeAuthorities,
  newKey,
  pemOf,
  privatePem,
  utf8Name,
} from './ca.ts';
export { goldenEstWire } from './golden-est-wire.ts';
export { type Responder, startResponder } from './responder.ts';

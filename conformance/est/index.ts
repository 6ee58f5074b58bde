import type { Group } from '../runner/index.ts';
import { authentication } from './authentication.ts';
import { cacerts } from './cacerts.ts';
import { connection } from './connection.ts';
import { enrolment } from './enrolment.ts';
import { otherOperations } from './other-operations.ts';
import { reenrolment } from './reenrolment.ts';
import { requests } from './requests.ts';

export { endTarget } from './target.ts';

/** What RFC 7030 and RFC 8951 ask of a server, by its wire alone, and EST-048 to EST-050 of the specification. */
export const estGroups: readonly Group[] = [
  cacerts,
  enrolment,
  requests,
  authentication,
  reenrolment,
  otherOperations,
  connection,
];

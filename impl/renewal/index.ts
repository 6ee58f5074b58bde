export { type Attempt, firstAttempt, nextAttempt, type Random, type RenewalRule } from './attempt.ts';
export { type Holding, type Look, type Renewable, RenewalEngine, type RenewalState } from './engine.ts';
export { DEFAULT_POLICY, formatPolicy, type Policy, PolicyError, parsePolicy, type RenewalPolicy } from './policy.ts';
export {
  isAlwaysDue,
  isDue,
  retryPeriod,
  type Schedule,
  ScheduleError,
  scheduleOf,
  toSeconds,
  type Validity,
} from './schedule.ts';

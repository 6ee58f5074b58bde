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

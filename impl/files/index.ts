export { CachedFiles } from './cached-files.ts';
export {
  isUnfinishedWrite,
  isUnfinishedWriteOf,
  removeFileDurable,
  removeUnfinishedWrites,
  removeUnfinishedWritesBeside,
  renameDurable,
  writeFileDurable,
} from './durable-write.ts';
export { eventTurn } from './event-turn.ts';
export { objectFileName } from './object-file-name.ts';

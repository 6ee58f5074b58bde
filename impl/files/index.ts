export { CachedFiles } from './cached-files.ts';
export {
  removeFileDurable,
  removeUnfinishedWrites,
  removeUnfinishedWritesBeside,
  renameDurable,
  writeFileDurable,
} from './durable-write.ts';
export { eventTurn } from './event-turn.ts';
export { objectFileName } from './object-file-name.ts';
export { isUnfinishedWrite, isUnfinishedWriteOf } from './temp-file.ts';
export { type WriteDurable, WriteThread } from './write-thread.ts';

export { isUnfinishedWrite, removeFileDurable, renameDurable, writeFileDurable } from './durable-write.ts';
export { objectFileName } from './object-file-name.ts';

import { createRequire } from 'node:module';

/** Whether this process is a cluster's worker: its places are its primary's to give, by Node's handles. */
export function isClusterWorker(): boolean {
  // Only with a primary to ask; who has none need not load the module.
  if (process.channel === undefined) return false;
  return (createRequire(__filename)('node:cluster') as { isWorker: boolean }).isWorker;
}

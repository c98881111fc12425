// Who is compared. Each side is one entry file, run in a process of its own (see side-process.ts).
export const sideNames = [
  'raw-epoll',
  'libuv-tuned',
  'libuv-naive',
  'nested',
  'watcher',
  'run',
  'context',
  'observed',
  'promises',
  'promise-floor',
  'node-net',
  'node-shape',
  'nested-before',
  'watcher-before',
  'run-before',
  'promises-before',
] as const;

/** What the quick run compares, so that it measures for less than a minute. */
const onlyInFull: readonly string[] = ['run', 'context', 'observed', 'promise-floor', 'node-shape'];
/** An older build of tripoll beside this one (`--before`): each after its younger self. */
export const beforeSides = sideNames
  .filter((name) => name.endsWith('-before'))
  .flatMap((name) => [name.replace('-before', '') as SideName, name]);
export const fullSides = sideNames.filter((name) => !name.endsWith('-before'));
export const quickSides = fullSides.filter((name) => !onlyInFull.includes(name));

export type SideName = (typeof sideNames)[number];

export interface Side {
  readonly label: string;
  readonly entry: string;
  readonly args: readonly string[];
}

export const sides: Readonly<Record<SideName, Side>> = {
  'raw-epoll': { label: 'raw C epoll', entry: 'native-peer.js', args: ['rawEpoll'] },
  'libuv-tuned': { label: 'libuv in C, tuned', entry: 'native-peer.js', args: ['libuvTuned'] },
  'libuv-naive': { label: 'libuv in C, naive', entry: 'native-peer.js', args: ['libuvNaive'] },
  nested: { label: 'tripoll handlers, nested', entry: 'tripoll-handlers.js', args: ['nested'] },
  watcher: { label: 'tripoll handlers, watcher', entry: 'tripoll-handlers.js', args: ['watcher'] },
  run: { label: 'tripoll handlers, run()', entry: 'tripoll-handlers.js', args: ['run'] },
  context: { label: 'tripoll handlers, with a store', entry: 'tripoll-handlers.js', args: ['context'] },
  observed: { label: 'tripoll handlers, observed', entry: 'tripoll-handlers.js', args: ['observed'] },
  promises: { label: 'tripoll promises, nested', entry: 'tripoll-promises.js', args: [] },
  'promise-floor': { label: 'handlers and two awaits', entry: 'promise-floor.js', args: [] },
  'node-net': { label: 'node:net', entry: 'node-net.js', args: ['node:net'] },
  'node-shape': { label: 'tripoll/node', entry: 'node-net.js', args: ['tripoll/node'] },
  'nested-before': { label: 'before: nested', entry: 'tripoll-handlers.js', args: ['nested'] },
  'watcher-before': { label: 'before: watcher', entry: 'tripoll-handlers.js', args: ['watcher'] },
  'run-before': { label: 'before: run()', entry: 'tripoll-handlers.js', args: ['run'] },
  'promises-before': { label: 'before: promises', entry: 'tripoll-promises.js', args: [] },
};

export function isSideName(name: string): name is SideName {
  return (sideNames as readonly string[]).includes(name);
}

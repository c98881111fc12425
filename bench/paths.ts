import * as path from 'node:path';

// Compiled files live in out/bench, two levels below the package.
export const packageRoot = path.resolve(__dirname, '..', '..');
export const resultsFolder = path.join(packageRoot, 'bench', 'results');

const nativeFolder = path.join(packageRoot, 'bench', 'native', 'build', 'Release');
export const loadGenerator = path.join(nativeFolder, 'load_generator');
export const peersAddon = path.join(nativeFolder, 'bench_peers.node');
export const respPeer = path.join(nativeFolder, 'resp_peer');
export const tcpPeer = path.join(nativeFolder, 'tcp_peer');
export const tcpLoad = path.join(nativeFolder, 'tcp_load');
export const udpPeer = path.join(nativeFolder, 'udp_peer');

/** Where the sides' entries are; those of `--before` are in the other checkout. */
let beforeRoot: string | null = null;

export function setBeforeFolder(folder: string): void {
  beforeRoot = folder;
}

export function sideEntry(side: string, entry: string): string {
  if (!side.endsWith('-before')) return path.join(__dirname, 'sides', entry);
  if (beforeRoot === null) throw new Error(`side ${side}: say with --before where the older build is`);
  return path.join(beforeRoot, 'out', 'bench', 'sides', entry);
}

export function requireEntry(isBefore: boolean): string {
  return isBefore && beforeRoot !== null
    ? path.join(beforeRoot, 'out', 'bench', 'require-child.js')
    : path.join(__dirname, 'require-child.js');
}

export const sideFile = (file: string): string => path.join(__dirname, 'sides', file);

/** How to start a file of bench/sides: a command and its arguments. */
export const sideCommand = (file: string, ...args: string[]): [string, string[]] => [
  process.execPath,
  [sideFile(file), ...args],
];

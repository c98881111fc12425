import * as path from 'node:path';

// Compiled files live in out/bench, two levels below the package.
export const packageRoot = path.resolve(__dirname, '..', '..');
export const resultsFolder = path.join(packageRoot, 'bench', 'results');

const nativeFolder = path.join(packageRoot, 'bench', 'native', 'build', 'Release');
export const loadGenerator = path.join(nativeFolder, 'load_generator');
export const peersAddon = path.join(nativeFolder, 'bench_peers.node');
export const tcpPeer = path.join(nativeFolder, 'tcp_peer');
export const tcpLoad = path.join(nativeFolder, 'tcp_load');
export const udpPeer = path.join(nativeFolder, 'udp_peer');

/** How to start a file of bench/sides: a command and its arguments. */
export const sideCommand = (file: string, ...args: string[]): [string, string[]] => [
  process.execPath,
  [path.join(__dirname, 'sides', file), ...args],
];

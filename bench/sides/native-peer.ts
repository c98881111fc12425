import { checkResult, loadPeersAddon } from '../peers-addon.js';
import { announcePort, enterSideProcess } from '../side-process.js';

const peers = ['rawEpoll', 'libuvTuned', 'libuvNaive'] as const;

const peer = peers.find((name) => name === process.argv[2]);
if (peer === undefined) throw new Error(`native peer: one of ${peers.join(', ')}`);
enterSideProcess();
const addon = loadPeersAddon();
announcePort(checkResult(addon[`${peer}Listen`](), 'listen'));
checkResult(addon[`${peer}Run`](), 'run');

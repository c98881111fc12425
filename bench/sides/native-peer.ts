import { checkResult, loadPeersAddon } from '../peers-addon.js';
import { announcePort, enterSideProcess } from '../side-process.js';

const peers = ['rawEpoll', 'libuvTuned', 'libuvNaive'] as const;

const [, , wanted, ...more] = process.argv;
const peer = peers.find((name) => name === wanted);
if (peer === undefined) throw new Error(`native peer: one of ${peers.join(', ')}`);
const spins = peer === 'rawEpoll' && more[0] === 'spin';
enterSideProcess();
const addon = loadPeersAddon();
announcePort(checkResult(addon[`${peer}Listen`](), 'listen'));
checkResult(spins ? addon.rawEpollSpin() : addon[`${peer}Run`](), 'run');

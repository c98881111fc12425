// Tells the time whenever it is asked to.
import { workerData } from 'node:worker_threads';
import { sharedNowMs } from '#lib/runtime/shared-clock';
import { Turn } from './shared-clock-turn.js';

const memory = workerData as SharedArrayBuffer;
const turn = new Int32Array(memory, 0, 2);
const answer = new Float64Array(memory, 8, 1);
let asked: number = Turn.READY;
Atomics.store(turn, Turn.ANSWERED, asked);
while (asked !== Turn.END) {
  // 0 until it is asked for the first time.
  const before = asked === Turn.READY ? 0 : asked;
  Atomics.wait(turn, Turn.ASKED, before);
  asked = Atomics.load(turn, Turn.ASKED);
  answer[0] = sharedNowMs();
  Atomics.store(turn, Turn.ANSWERED, asked);
  Atomics.notify(turn, Turn.ANSWERED);
}

// A worker's thread is watched. Prints the stack that its watchdog has of it.
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { turnOnce, watched } from './watchdog-rig.js';

function watchThisThread(): void {
  // The report comes when the timer has returned; nothing else keeps this thread alive so long.
  const alive = setInterval(() => {}, 1000);
  let left = 20;
  const rig = watched({
    slowHandlerMs: 20,
    onReport(report) {
      const stack = report.kind === 'slow-handler' ? report.stack : null;
      // On a machine that is overloaded a sample may come too late: the next one is as good.
      if (stack === null && --left > 0) {
        setImmediate(begin);
        return;
      }
      parentPort?.postMessage(stack ?? 'no stack');
      clearInterval(alive);
      rig.close();
    },
  });
  const begin = (): void => {
    rig.reactor.setTimer(0, function keepsWorker() {
      rig.spinUntilTold();
    });
    turnOnce(rig.reactor);
  };
  begin();
}

if (isMainThread) new Worker(__filename).on('message', (stack) => console.log(stack));
else watchThisThread();

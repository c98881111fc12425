// A worker full of sockets, timers and wakes, to be terminated at any moment. It says 'enough'
// after so many echoed messages, and carries on.
import { stat } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { type BackendName, type DriverName, interval, Reactor, type SharedWaker, Waker } from 'tripoll';
import { connect, listen, TcpListener, TcpStream, type TcpConnection } from 'tripoll/net';

export interface TerminatedPlan {
  readonly driver: DriverName;
  readonly backend: BackendName;
  readonly run: boolean;
  readonly connections: number;
  readonly bytes: number;
  readonly messages: number;
  /** Of the main thread's reactor, if it has one. */
  readonly waker: SharedWaker | null;
}

const { driver, backend, run, connections, bytes, messages, waker } = workerData as TerminatedPlan;
const reactor = new Reactor({ driver, backend });
if (run) void reactor.run();
const main = waker === null ? null : Waker.from(waker);
const host = '127.0.0.1';
let seen = 0;

function count(): void {
  main?.wake();
  if (++seen === messages) parentPort?.postMessage('enough');
}

const echo = (connection: TcpConnection, chunk: Uint8Array): void => void connection.write(chunk);
const listener = listen({ host, port: 0, reactor }, { data: echo });
for (let i = 0; i < connections; i++) {
  const message = new Uint8Array(bytes).fill(i);
  connect(
    { host, port: listener.localAddress!.port, reactor },
    {
      open: (connection) => void connection.write(message),
      data(connection, chunk) {
        count();
        connection.write(chunk);
      },
    },
  );
}

/** The same with promises, which a terminated thread never settles. */
async function echoByPromises(): Promise<void> {
  const server = await TcpListener.bind(`${host}:0`, { reactor });
  const client = await TcpStream.connect({ host, port: server.localAddress!.port }, { reactor });
  const { stream } = await server.accept();
  const buffer = new Uint8Array(1024);
  for (;;) {
    await client.writeAll(buffer.subarray(0, 100), { timeoutMs: 60_000 });
    await stream.writeAll(buffer.subarray(0, await stream.read(buffer)));
    await client.read(buffer);
    count();
  }
}
void echoByPromises();

// What else may be on its way at that moment: timers, a request of Node's own (one that holds no
// fd: Node would leave that open), wakes of this thread's own.
reactor.setTimer(0.5, () => reactor.post(count), { repeatMs: 1 });
const own = reactor.waker(() => reactor.setTimer(0, () => own.wake()));
own.wake();
void (async () => {
  for await (const ticks of interval(1, { reactor })) if (ticks < 0) break;
})();
const ask = (): void => stat(__filename, ask);
ask();

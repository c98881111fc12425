// Receives until its meter is done. Argv: way, warm-up, seconds, core.
import * as dgram from 'node:dgram';
import { Reactor } from 'tripoll';
import { bindUdp, DatagramBatch, UdpSocket } from 'tripoll/net';
import { announcePort, enterSideProcess } from '../side-process.js';
import { UdpMeter } from '../udp-meter.js';

const host = '127.0.0.1';
const [way, warmupS, durationS] = process.argv.slice(2);
enterSideProcess();
const meter = new UdpMeter(Number(warmupS), Number(durationS));
/** So that all sides look at what came. */
let bytes = 0;

function handlers(): void {
  const endpoint = bindUdp(
    { host, port: 0 },
    {
      datagrams(_self, batch) {
        for (let i = 0; i < batch.count; i++) bytes += batch.payload(i).length;
        meter.count(batch.count);
      },
    },
  );
  announcePort(endpoint.localAddress?.port);
}

async function promises(): Promise<void> {
  const socket = await UdpSocket.bind({ host, port: 0 });
  announcePort(socket.localAddress?.port);
  const batch = new DatagramBatch();
  for (;;) {
    const received = await socket.recvMany(batch);
    for (let i = 0; i < received; i++) bytes += batch.payload(i).length;
    meter.count(received);
  }
}

function nodeDgram(): void {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (message) => {
    bytes += message.length;
    meter.count(1);
  });
  socket.bind(0, host, () => announcePort(socket.address().port));
}

process.on('exit', () => {
  if (bytes === 0) process.exitCode = 1;
});
if (way === 'handlers' || way === 'run') handlers();
else if (way === 'promises' || way === 'promises-run') void promises();
else if (way === 'dgram') nodeDgram();
else throw new Error('argument: handlers, run, promises, promises-run or dgram');
if (way === 'run' || way === 'promises-run') void Reactor.default.run();

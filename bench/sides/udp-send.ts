// Sends until its meter is done, in bursts of 64, after each of which Node's loop has its turn.
// Argv: way, warm-up, seconds, port, bytes, segments, core.
import * as dgram from 'node:dgram';
import { bindUdp, DatagramBatch } from 'tripoll/net';
import { enterSideProcess } from '../side-process.js';
import { UdpMeter } from '../udp-meter.js';

const host = '127.0.0.1';
const burst = 64;
const [way, warmupS, durationS, port, size, segmentCount] = process.argv.slice(2);
enterSideProcess();
const meter = new UdpMeter(Number(warmupS), Number(durationS));
const bytes = Number(size);
const segments = Number(segmentCount);

function batches(coalesce: boolean): void {
  const endpoint = bindUdp({ host, port: 0, peer: { host, port: Number(port) }, coalesce }, {});
  const batch = new DatagramBatch({ capacity: burst, slotBytes: bytes * segments });
  for (let i = 0; i < burst; i++) {
    const index = batch.add(bytes * segments);
    if (segments > 1) batch.setSegmentBytes(index, bytes);
  }
  const send = (): void => {
    // Loopback takes all, always: see bench/README.md.
    if (!endpoint.sendMany(batch.rewind()) || batch.failed > 0) throw new Error('not all were sent');
    meter.count(burst * segments);
    setImmediate(send);
  };
  send();
}

function nodeDgram(): void {
  const socket = dgram.createSocket('udp4');
  const payload = Buffer.alloc(bytes);
  const send = (): void => {
    for (let i = 0; i < burst; i++) socket.send(payload);
    meter.count(burst);
    setImmediate(send);
  };
  socket.connect(Number(port), host, send);
}

if (way === 'batches' || way === 'apart') batches(way === 'batches');
else if (way === 'dgram') nodeDgram();
else throw new Error('argument: batches, apart or dgram');

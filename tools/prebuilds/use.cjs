'use strict';
// What npm run test:prebuilds runs in each host, beside the unpacked package: loads it, sets a
// serial line's speed, echoes over TCP and UDP on each backend and driver that the host has, and over
// TCP in a worker. Prints which addon that was, and what was done.
const { Buffer } = require('node:buffer');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const { capabilities, Reactor } = require('./package/dist/index.js');
const { Pty, SerialPort, TcpListener, TcpStream, UdpSocket } = require('./package/dist/net/index.js');

/** More than any socket takes at once. */
const BYTES = 3_000_000;

async function echoTcp(reactor) {
  const listener = await TcpListener.bind('127.0.0.1:0', { reactor });
  const client = await TcpStream.connect(`127.0.0.1:${listener.localAddress.port}`, { reactor });
  const { stream } = await listener.accept();
  const sent = Buffer.alloc(BYTES, 'what is sent comes back ');
  const received = Buffer.alloc(BYTES);
  await Promise.all([
    client.writeAll(sent),
    (async () => {
      for await (const chunk of stream) await stream.writeAll(chunk);
    })(),
    (async () => {
      for (let length = 0; length < BYTES;) length += await client.read(received.subarray(length));
      client.close();
    })(),
  ]);
  for (const each of [stream, listener]) each.close();
  if (!received.equals(sent)) throw new Error('other bytes came back');
}

async function echoUdp(reactor) {
  const server = await UdpSocket.bind('127.0.0.1:0', { reactor });
  const client = await UdpSocket.connect(`127.0.0.1:${server.localAddress.port}`, { reactor });
  const buffer = Buffer.alloc(100);
  await client.send(Buffer.from('datagram'));
  const { lengthBytes, address } = await server.receive(buffer);
  await server.send(buffer.subarray(0, lengthBytes), address);
  const { lengthBytes: back } = await client.receive(buffer);
  if (buffer.toString('latin1', 0, back) !== 'datagram') throw new Error('another datagram came back');
  for (const each of [server, client]) each.close();
}

/** Headers that are newer than the C library say something else for a speed. */
function setSpeed() {
  const pty = Pty.open();
  const port = SerialPort.open(pty.path, { baudRate: 115_200 });
  const { baudRate } = port;
  for (const each of [port, pty]) each.close();
  if (baudRate !== 115_200) throw new Error(`the line's speed is ${baudRate}`);
  return `${baudRate} baud`;
}

async function inThisThread() {
  const done = process.platform === 'win32' ? [] : [setSpeed()];
  for (const backend of capabilities.backends) {
    for (const driver of capabilities.drivers) {
      if (driver === 'manual' || (driver === 'nested' && backend !== 'epoll')) continue;
      const reactor = new Reactor({ backend, driver });
      await echoTcp(reactor);
      await echoUdp(reactor);
      reactor.close();
      done.push(`${backend}, ${driver}`);
    }
  }
  return done;
}

/** Loads the addon a second time, in a process that has it. */
function inWorker() {
  return new Promise((resolve, reject) => {
    const worker = new Worker(require.resolve('./use.cjs'));
    worker.once('message', (message) => resolve(message));
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the worker has ended without a word')));
  });
}

async function main() {
  if (!isMainThread) {
    await echoTcp(Reactor.default);
    parentPort.postMessage('worker');
    return;
  }
  const done = [...(await inThisThread()), await inWorker()];
  const addons = Object.keys(require.cache).filter((file) => file.endsWith('.node'));
  console.log(JSON.stringify({ platform: process.platform, arch: process.arch, addons, done }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

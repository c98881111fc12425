// Three promise streams: one is held, one waits for a read, one is forgotten. Prints, as JSON, what the
// watchdog finds, and that the other two still work. With 'off' it looks for nothing else, and has no
// thread.
import { Reactor } from 'tripoll';
import { listen, TcpStream, type TcpConnection } from 'tripoll/net';
import { Watchdog } from 'tripoll/observe';
import { until } from '../support/deadline.js';

const reactor = Reactor.default;
const isOff = process.argv[2] === 'off';
const dog = new Watchdog(reactor, {
  ...{ warn: false, unreadMs: 0, stalledMs: 0 },
  ...(isOff ? { slowHandlerMs: 0, spinTurns: 0 } : {}),
});
const accepted: TcpConnection[] = [];
const ended: string[] = [];
const names = ['held', 'waiting', 'forgotten'];

const listener = listen('127.0.0.1:0', {
  open: (conn) => void accepted.push(conn),
  data() {},
  end: (conn) => void ended.push(names[accepted.indexOf(conn)] ?? ''),
});

async function connectOne(): Promise<TcpStream> {
  const before = accepted.length;
  const stream = await TcpStream.connect(listener.localAddress ?? '');
  await until(() => accepted.length > before, 'the connection');
  return stream;
}

/** Nothing but the stream itself knows of this function while it waits. */
async function readAndTell(tell: (text: string) => void): Promise<void> {
  const stream = await connectOne();
  const buffer = new Uint8Array(100);
  const count = await stream.read(buffer);
  tell(new TextDecoder().decode(buffer.subarray(0, count)));
  stream.close();
}

async function main(): Promise<void> {
  const held = await connectOne();
  let waited = '';
  void readAndTell((text) => (waited = text));
  await until(() => accepted.length === 2, 'the second');
  // The settlers of the last read are kept until the next: not those of the one that waits.
  await held.read(new Uint8Array(1), { timeoutMs: 1 }).catch(() => {});
  const first = await dog.findLeaks();
  await connectOne();
  const { registrations } = reactor.inspect();
  // What connected it may hold it for some turns yet.
  let found = await dog.findLeaks();
  for (let i = 0; found.length === 0 && i < 50; i++) found = await dog.findLeaks();
  const left = reactor.inspect().registrations;
  await until(() => ended.length > 0, 'the end of the forgotten one');
  accepted[0]?.write(Buffer.from('the held one'));
  accepted[1]?.write(Buffer.from('the awaited one'));
  const buffer = new Uint8Array(100);
  const count = await held.read(buffer);
  await until(() => waited !== '', 'what waits');
  console.log(
    JSON.stringify({
      first,
      found: found.map(({ kind, openedAt }) => ({
        kind,
        hasOrigin: openedAt?.includes('watchdog-leak-child') === true,
      })),
      ended: ended.slice(0, 1),
      registrations: registrations - left === 1 ? 'one less' : `${registrations} and ${left}`,
      read: new TextDecoder().decode(buffer.subarray(0, count)),
      waited,
    }),
  );
  reactor.close();
}

void main();

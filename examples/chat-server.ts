// A chat over lines: the first line is a name, every other one goes to all. Shows a decoder on the
// fast path, a deadline for the name, an idle timeout, and back-pressure: who does not read what is
// said is dropped.
//
//   node out/examples/chat-server.js [port]        then: nc 127.0.0.1 <port>
import { Reactor, type Timer } from 'tripoll';
import { LineDecoder, listen, type TcpConnection } from 'tripoll/net';

const LOGIN_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 300_000;
/** So long may a reader take for what was said before the end. */
const GOODBYE_TIMEOUT_MS = 1000;
const MAX_LINE_BYTES = 1024;
const MAX_NAME_LENGTH = 20;
/** So far behind the talk a reader may be. */
const MAX_BACKLOG_BYTES = 256 * 1024;

interface Member {
  readonly lines: LineDecoder<'utf8'>;
  readonly deadline: Timer;
  name: string | null;
}

type Connection = TcpConnection<Member>;

const strangers = new Set<Connection>();
const members = new Set<Connection>();

function say(text: string): void {
  // One buffer for all: a write that cannot be sent at once copies what is left.
  const bytes = Buffer.from(`${text}\n`);
  for (const connection of members) {
    // One that is ending would be written to after its end().
    if (!connection.writeEnded) connection.write(bytes);
  }
}

function leave(connection: Connection): void {
  if (members.delete(connection)) say(`* ${connection.data?.name} has gone`);
}

function onLine(connection: Connection, member: Member, line: string): void {
  const text = line.trim();
  if (member.name !== null) {
    if (text !== '') say(`${member.name}: ${text}`);
    return;
  }
  if (text === '' || text.length > MAX_NAME_LENGTH) {
    connection.end(Buffer.from(`a name has 1 to ${MAX_NAME_LENGTH} characters\n`));
    return;
  }
  member.deadline.cancel();
  member.name = text;
  strangers.delete(connection);
  members.add(connection);
  say(`* ${text} has come, ${members.size} here`);
}

const [port = '7000', ...rest] = process.argv.slice(2);
if (!/^\d+$/.test(port) || rest.length > 0) {
  console.error('usage: node out/examples/chat-server.js [port]');
  process.exit(2);
}

const listener = listen<Member>(
  {
    host: '127.0.0.1',
    port: Number(port),
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    maxQueuedBytes: MAX_BACKLOG_BYTES,
  },
  {
    open(connection) {
      const deadline = Reactor.default.setTimer(LOGIN_TIMEOUT_MS, () => connection.close());
      const lines = new LineDecoder({ maxLengthBytes: MAX_LINE_BYTES, encoding: 'utf8' });
      connection.data = { lines, deadline, name: null };
      strangers.add(connection);
      connection.write(Buffer.from('your name?\n'));
    },
    data(connection, chunk) {
      const member = connection.data;
      // After end() what still comes is nobody's.
      if (member === undefined || connection.writeEnded) return;
      member.lines.push(chunk, (line) => {
        if (!connection.closed && !connection.writeEnded) onLine(connection, member, line);
      });
    },
    end: leave,
    // Also of a line that is too long: what `data` throws ends its connection, and only that.
    error(connection, error) {
      console.error(`${connection.data?.name ?? 'somebody'}: ${error.message}`);
    },
    close(connection) {
      connection.data?.deadline.cancel();
      strangers.delete(connection);
      leave(connection);
    },
  },
);

console.log(`chat on 127.0.0.1:${listener.localAddress?.port}`);
process.once('SIGINT', () => {
  listener.close();
  for (const connection of strangers) connection.close();
  const goodbye = Buffer.from('* closing\n');
  for (const connection of members) {
    if (!connection.writeEnded) connection.end(goodbye);
  }
  // Who does not hang up in time is hung up on.
  const closeAll = () => {
    for (const connection of members) connection.close();
  };
  Reactor.default.setTimer(GOODBYE_TIMEOUT_MS, closeAll).unref();
});

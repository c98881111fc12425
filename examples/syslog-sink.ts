// A syslog sink on a Unix datagram socket, as /dev/log is one: prints facility, severity and text
// of each message.
//   node out/examples/syslog-sink.js /tmp/log      then, elsewhere: logger -u /tmp/log -p daemon.warning hello
import { bindUnixDatagram, signal } from 'tripoll/net';

const [path, ...rest] = process.argv.slice(2);
if (path === undefined || path.startsWith('-') || rest.length > 0) {
  console.error('usage: node out/examples/syslog-sink.js <socket>');
  process.exit(2);
}

const severities = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];
const facilities = ['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron'];
const decoder = new TextDecoder();

/**
 * RFC 3164: `<priority>`, a number of facility and severity, and then text that is the sender's.
 */
function describe(message: string): string {
  const match = /^<(\d{1,3})>(.*)$/s.exec(message);
  if (match === null) return `?.? ${message}`;
  const priority = Number(match[1]);
  const facility = facilities[priority >> 3] ?? `facility${priority >> 3}`;
  return `${facility}.${severities[priority & 7]} ${match[2]}`;
}

const socket = bindUnixDatagram(
  { path, mode: 0o666, unlinkStale: true },
  {
    message(_, chunk, { truncated }) {
      const text = describe(decoder.decode(chunk).replace(/[\0\n]+$/, ''));
      // A control character of a sender's must not reach the terminal.
      console.log(text.replace(/\p{Cc}/gu, '?') + (truncated ? ' [cut off]' : ''));
    },
    error: (_, error) => console.error(error.message),
  },
);
console.log(`listening on ${socket.localAddress}`);

closeAtSignal().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});

async function closeAtSignal(): Promise<void> {
  await signal(['SIGINT', 'SIGTERM']).next();
  socket.close(); // and its file with it
}

// A DNS server for one small zone, over UDP in batches, and over TCP for what does not fit a
// datagram.
//
//   node out/examples/dns-server.js [host:port]     then: dig @127.0.0.1 -p 5300 www.example.test
import {
  bindUdp,
  DatagramBatch,
  LengthPrefixedDecoder,
  listen,
  type TcpConnection,
  type TcpListener,
  type UdpEndpoint,
} from 'tripoll/net';
import {
  encodeAnswer,
  encodeError,
  encodeName,
  MAX_UDP_BYTES,
  NAME_ERROR,
  NO_ERROR,
  readQuestion,
  REFUSED,
  TYPES,
  type Answer,
  type ResourceRecord,
  type TypeName,
} from './dns-message.js';

const ZONE = 'example.test';
const TTL_S = 300;
/** A CNAME may lead to another, and in a mistaken zone in circles. */
const MAX_ALIASES = 8;
/** A question is a name and a few bytes; what a TCP client says may not be longer than that. */
const MAX_QUESTION_BYTES = 4096;
const MAX_ANSWER_BYTES = 65_535;
const TCP_IDLE_MS = 10_000;
/**
 * A port that one protocol has free is rarely taken in the other: this many in a row are another
 * mistake.
 */
const MAX_PORTS_TRIED = 10;

// ---- the zone ----

const ipv4 = (address: string): Uint8Array => Buffer.from(address.split('.').map(Number));
const ipv6 = (groups: readonly number[]): Uint8Array =>
  Buffer.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
const text = (...strings: string[]): Uint8Array =>
  Buffer.concat(strings.flatMap((string) => [Buffer.of(string.length), Buffer.from(string, 'latin1')]));
const word = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);

function soa(): Uint8Array {
  const numbers = Buffer.alloc(20);
  [1, 3600, 600, 86_400, 60].forEach((value, index) => numbers.writeUInt32BE(value, 4 * index));
  return Buffer.concat([encodeName(`ns.${ZONE}`), encodeName(`hostmaster.${ZONE}`), numbers]);
}

const zone = new Map<string, ResourceRecord[]>();

function add(label: string, type: TypeName, data: Uint8Array): void {
  const name = label === '' ? ZONE : `${label}.${ZONE}`;
  zone.set(name, [...(zone.get(name) ?? []), { name, type, ttlS: TTL_S, data }]);
}

add('', 'SOA', soa());
add('', 'NS', encodeName(`ns.${ZONE}`));
add('', 'A', ipv4('192.0.2.1'));
add('', 'AAAA', ipv6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]));
add('', 'MX', Buffer.concat([word(10), encodeName(`mail.${ZONE}`)]));
add('', 'TXT', text('answered by tripoll'));
add('ns', 'A', ipv4('192.0.2.53'));
add('mail', 'A', ipv4('192.0.2.25'));
add('www', 'CNAME', encodeName(ZONE));
for (let i = 0; i < 20; i++) add('big', 'TXT', text(`${String(i).padStart(3, '0')}${'.'.repeat(97)}`));
/** Where an alias leads to. */
const aliases = new Map([[`www.${ZONE}`, ZONE]]);

function lookUp(name: string, type: number): Answer {
  const authority = zone.get(ZONE)?.filter((record) => record.type === 'SOA') ?? [];
  const answers: ResourceRecord[] = [];
  let at: string | undefined = name;
  for (let i = 0; i < MAX_ALIASES && at !== undefined; i++) {
    const records: ResourceRecord[] | undefined = zone.get(at);
    if (records === undefined) return { code: NAME_ERROR, answers, authority };
    const found = records.filter((record) => TYPES[record.type] === type || type === TYPES.ANY);
    if (found.length > 0) return { code: NO_ERROR, answers: [...answers, ...found], authority: [] };
    answers.push(...records.filter((record) => record.type === 'CNAME'));
    at = aliases.get(at);
  }
  return { code: NO_ERROR, answers, authority };
}

/** The bytes of the answer; null when there is to be none. */
function answer(message: Uint8Array, byTcp: boolean): Uint8Array | null {
  const question = readQuestion(message);
  if (question === null) return null;
  if (typeof question === 'number') return encodeError(message, question);
  const { name, type, isInternet } = question;
  const isOurs = isInternet && (name === ZONE || name.endsWith(`.${ZONE}`));
  const found = isOurs ? lookUp(name, type) : { code: REFUSED, answers: [], authority: [] };
  return encodeAnswer(question, found, byTcp ? MAX_ANSWER_BYTES : question.mostBytes);
}

// ---- UDP: a batch of questions in, a batch of answers out ----

const replies = new DatagramBatch({ slotBytes: MAX_UDP_BYTES });

function onQuestions(endpoint: UdpEndpoint, questions: DatagramBatch): void {
  replies.clear();
  for (let i = 0; i < questions.count; i++) {
    const reply = answer(questions.payload(i), false);
    // Both batches have the same capacity: there is room for each.
    if (reply !== null && replies.push(reply)) replies.copyAddress(replies.count - 1, questions, i);
  }
  // What a full socket does not take is lost, as any datagram may be: the client asks again.
  endpoint.sendMany(replies);
}

// ---- TCP: each message with its length before it ----

type Connection = TcpConnection<LengthPrefixedDecoder>;

function onBytes(connection: Connection, chunk: Uint8Array): void {
  connection.data?.push(chunk, (message) => {
    const reply = answer(message, true);
    if (reply === null) connection.close();
    else if (!connection.closed) {
      connection.cork();
      connection.write(word(reply.length));
      connection.write(reply);
      connection.uncork();
    }
  });
}

const [address = '127.0.0.1:5300', ...rest] = process.argv.slice(2);
const match = /^(?:\[(.+)\]|([\d.]+)):(\d+)$/.exec(address);
if (match === null || rest.length > 0) {
  console.error(
    'usage: node out/examples/dns-server.js [host:port]\n  host: an IP address; port 0: any that is free',
  );
  process.exit(2);
}

const host = match[1] ?? match[2] ?? '';
const wantedPort = Number(match[3]);
const connections = new Set<Connection>();

function openListener(): TcpListener {
  return listen<LengthPrefixedDecoder>(
    { host, port: wantedPort, idleTimeoutMs: TCP_IDLE_MS },
    {
      open(connection) {
        connection.data = new LengthPrefixedDecoder({ lengthBytes: 2, maxLengthBytes: MAX_QUESTION_BYTES });
        connections.add(connection);
      },
      data: onBytes,
      error: () => {}, // a client's failure, or one that says nonsense, is no other's
      close: (connection) => void connections.delete(connection),
    },
  );
}

/**
 * One number for both. With port 0 the system picks one that TCP has free, which UDP may have given
 * away.
 */
function open(): { listener: TcpListener; endpoint: UdpEndpoint } {
  const refused: TcpListener[] = []; // held meanwhile: the system would pick the same port again
  try {
    for (;;) {
      const listener = openListener();
      try {
        const port = listener.localAddress?.port ?? 0;
        return { listener, endpoint: bindUdp({ host, port }, { datagrams: onQuestions }) };
      } catch (error) {
        refused.push(listener);
        const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
        if (!isTaken || wantedPort !== 0 || refused.length === MAX_PORTS_TRIED) throw error;
      }
    }
  } finally {
    for (const listener of refused) listener.close();
  }
}

const { listener, endpoint } = open();
const port = listener.localAddress?.port ?? 0;
console.log(`${ZONE} on ${host}:${port}`);
process.once('SIGINT', () => {
  endpoint.close();
  listener.close();
  for (const connection of connections) connection.close();
});

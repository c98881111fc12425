// A SOCKS5 proxy (RFC 1928) without authentication, for CONNECT: names are resolved here, and their
// addresses raced.
//   node out/examples/socks5-proxy.js 127.0.0.1:1080
//   curl --socks5-hostname 127.0.0.1:1080 http://example.org/
import { capabilities } from 'tripoll';
import { copyBidirectional, TcpListener, TcpStream } from 'tripoll/net';

const VERSION = 5;
const NO_AUTHENTICATION = 0;
const NO_METHOD = 0xff;
const CONNECT = 1;
const ADDRESS_TYPES = { v4: 1, name: 3, v6: 4 };
/** Replies of RFC 1928, section 6. */
const REPLIES = { granted: 0, failure: 1, unreachable: 4, refused: 5, noCommand: 7, noAddressType: 8 };
/** For the greeting and the request, and for connecting. */
const HANDSHAKE_MS = 10_000;
const CONNECT_MS = 30_000;

const [listenAt] = process.argv.slice(2);
if (listenAt === undefined) {
  console.error('usage: node out/examples/socks5-proxy.js <listen-ip:port>');
  process.exit(2);
}

/** What the client is told before it is hung up on. */
class Refusal extends Error {
  readonly reply: number;

  constructor(reply: number, message: string) {
    super(message);
    this.reply = reply;
  }
}

async function readExactly(stream: TcpStream, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length;) {
    const received = await stream.read(bytes.subarray(at), { timeoutMs: HANDSHAKE_MS });
    if (received === 0) throw new Error('the client went away in its request');
    at += received;
  }
  return bytes;
}

/** `version, number of methods, methods`: of those only 0 is spoken here. */
async function greet(client: TcpStream): Promise<void> {
  const [version, count = 0] = await readExactly(client, 2);
  if (version !== VERSION) throw new Error(`not SOCKS5 but ${version}`);
  const methods = await readExactly(client, count);
  const method = methods.includes(NO_AUTHENTICATION) ? NO_AUTHENTICATION : NO_METHOD;
  await client.writeAll(Uint8Array.of(VERSION, method));
  if (method === NO_METHOD) throw new Error('no method that both know');
}

/** `version, command, 0, address type, address, port`. */
async function readRequest(client: TcpStream): Promise<{ host: string; port: number }> {
  const [, command, , type] = await readExactly(client, 4);
  let host: string;
  if (type === ADDRESS_TYPES.v4) host = (await readExactly(client, 4)).join('.');
  else if (type === ADDRESS_TYPES.v6) {
    const hex = (await readExactly(client, 16)).toString('hex');
    host = (hex.match(/..../g) ?? []).join(':');
  } else if (type === ADDRESS_TYPES.name) {
    const [length = 0] = await readExactly(client, 1);
    host = (await readExactly(client, length)).toString('latin1');
  } else throw new Refusal(REPLIES.noAddressType, `address type ${type}`);
  const port = (await readExactly(client, 2)).readUInt16BE();
  if (command !== CONNECT) throw new Refusal(REPLIES.noCommand, `command ${command}`);
  return { host, port };
}

async function connect(target: { host: string; port: number }): Promise<TcpStream> {
  try {
    return await TcpStream.connect(target, { timeoutMs: CONNECT_MS });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const replies: Record<string, number> = { ECONNREFUSED: REPLIES.refused, ENOTFOUND: REPLIES.unreachable };
    throw new Refusal(replies[code ?? ''] ?? REPLIES.failure, message);
  }
}

/**
 * `version, reply, 0, address type, address, port`; the address that we are bound to is nobody's
 * business: zeros.
 */
function replyTo(client: TcpStream, reply: number): Promise<number> {
  return client.writeAll(Uint8Array.of(VERSION, reply, 0, ADDRESS_TYPES.v4, 0, 0, 0, 0, 0, 0));
}

async function serve(client: TcpStream): Promise<void> {
  try {
    await greet(client);
    const target = await readRequest(client);
    const server = await connect(target);
    await replyTo(client, REPLIES.granted);
    await copyBidirectional(client, server, { splice: capabilities.splice });
  } catch (error) {
    console.error((error as Error).message);
    if (error instanceof Refusal) await replyTo(client, error.reply).catch(() => {});
  } finally {
    client.close();
  }
}

async function main(address: string): Promise<void> {
  const listener = await TcpListener.bind(address);
  const { address: ip, port } = listener.localAddress ?? {};
  console.log(`SOCKS5 proxy on ${ip}:${port}`);
  const clients = new Set<TcpStream>();
  process.once('SIGINT', () => {
    listener.close();
    for (const client of clients) client.close();
  });
  for await (const client of listener) {
    clients.add(client);
    void serve(client).finally(() => clients.delete(client));
  }
}

main(listenAt).catch((error: unknown) => {
  console.error((error as Error).message);
  process.exit(1);
});

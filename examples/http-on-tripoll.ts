// Node's own http on tripoll's sockets, both sides: a store of notes in memory, and a client whose
// Agent connects by tripoll.
//
//   node out/examples/http-on-tripoll.js serve [port]
//   node out/examples/http-on-tripoll.js get http://127.0.0.1:<port>/notes/a
//   node out/examples/http-on-tripoll.js put http://127.0.0.1:<port>/notes/a 'some words'
import * as http from 'node:http';
import { connect, serveHttp } from 'tripoll/node';
import { listen } from 'tripoll/tcp';

const MAX_NOTES = 10_000;
const MAX_NOTE_BYTES = 64 * 1024;
/** Of clients that go on asking after SIGINT. */
const DRAIN_MS = 5000;

class Refusal extends Error {
  readonly status: number;

  constructor(status: number) {
    super(http.STATUS_CODES[status]);
    this.status = status;
  }
}

// ---- the server ----

const notes = new Map<string, Buffer>();

/** All of a body, which must not be long. */
async function readBody(request: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_NOTE_BYTES) throw new Refusal(413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function answer(request: http.IncomingMessage): Promise<Buffer | null> {
  const [, name] = /^\/notes\/(\w{1,64})$/.exec(request.url ?? '') ?? [];
  if (name === undefined) throw new Refusal(404);
  const note = notes.get(name);
  switch (request.method) {
    case 'GET':
      if (note === undefined) throw new Refusal(404);
      return note;
    case 'PUT':
      if (note === undefined && notes.size >= MAX_NOTES) throw new Refusal(507);
      notes.set(name, await readBody(request));
      return null;
    case 'DELETE':
      if (!notes.delete(name)) throw new Refusal(404);
      return null;
    default:
      throw new Refusal(405);
  }
}

async function respond(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  try {
    const body = await answer(request);
    if (body === null) response.writeHead(204).end();
    else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(body);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // What is left of a body that is too long is not waited for.
    response.writeHead(error.status, { connection: 'close' }).end(`${error.message}\n`);
  }
}

function serve(port: number): void {
  const server = http.createServer((request, response) => {
    // The client went away in its request: nobody is there to be told.
    respond(request, response).catch(() => response.destroy());
  });
  const listener = listen({ host: '127.0.0.1', port, idleTimeoutMs: 60_000 }, {});
  serveHttp(listener, server);
  console.log(`http://127.0.0.1:${listener.localAddress?.port}/notes/`);
  process.once('SIGINT', () => {
    server.close();
    setTimeout(() => server.closeAllConnections(), DRAIN_MS).unref();
  });
}

// ---- the client ----

async function ask(method: string, url: string, body?: string): Promise<void> {
  const agent = Object.assign(new http.Agent({ keepAlive: true }), { createConnection: connect });
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.request(url, { method, agent }, resolve).once('error', reject).end(body);
  });
  const { statusCode = 0, statusMessage } = response;
  if (statusCode >= 400) throw new Error(`${statusCode} ${statusMessage}`);
  for await (const chunk of response) process.stdout.write(chunk as Buffer);
  agent.destroy();
}

async function main(command = '', place = '8080', body?: string): Promise<void> {
  if (command === 'serve' && /^\d+$/.test(place)) serve(Number(place));
  else if (command === 'get' && URL.canParse(place)) await ask('GET', place);
  else if (command === 'put' && URL.canParse(place) && body !== undefined) await ask('PUT', place, body);
  else throw new Error('usage: http-on-tripoll.js serve [port] | get <url> | put <url> <text>');
}

main(...process.argv.slice(2)).catch((error: unknown) => {
  console.error((error as Error).message);
  process.exit(1);
});

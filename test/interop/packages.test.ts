// npm's packages for the web, unchanged, on tripoll's sockets by the hook.
import { hashOfBody } from './body.js';
import { curl } from './http-client.js';
import { freePort, outputOf, runApp, startApp, testWithPrograms } from './tools.js';

test.each(['http', 'https'])(
  'ws over %s: echo up to 16 MB, whole, fragmented, compressed',
  async (kind) => {
    const { echoed, closed, tripoll } = await runApp('ws', { args: [kind], deadlineMs: 60_000 });
    const all = Array<boolean>(8).fill(true);
    expect(echoed).toEqual({
      plain: all,
      'plain, fragmented': all,
      compressed: all,
      'compressed, fragmented': all,
    });
    const ended = ['text \u{1f41f}', false, 'ping', 4000, 'enough'];
    expect(closed).toEqual([ended, ended]);
    expect(tripoll).toEqual({ accepted: 2, connected: 2 });
  },
  90_000,
);

describe.each(['node', 'undici'])('fetch of %s', (whose) => {
  test.each(['http', 'https'])(
    'over %s: bodies both ways, many at once, broken off, refused',
    async (kind) => {
      const server = await startApp('http-server', { args: [kind] });
      const origin = `${kind}://127.0.0.1:${server.ready.port}`;
      const env = { NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' };
      const seen = await runApp('fetch', {
        args: [whose, origin, String(await freePort())],
        env,
        deadlineMs: 30_000,
      });
      const sizes = [0, 1, 65_537, 20_000_000];
      const hashes = sizes.map(hashOfBody);
      expect(seen).toMatchObject({
        known: hashes,
        chunked: hashes,
        atOnce: true,
        brokenOff: 'AbortError',
        refused: 'ECONNREFUSED',
      });
      const up = sizes.map((lengthBytes, i) => ({ lengthBytes, hash: hashes[i] }));
      expect(seen).toMatchObject({ whole: up, streamed: up });
      const { tripoll, connections } = await server.stop();
      expect(tripoll.accepted).toBe(connections);
      // And the one that was refused.
      expect(seen.tripoll.connected).toBe(tripoll.accepted + 1);
    },
    60_000,
  );
});

const withTools = testWithPrograms('curl', 'wrk');

describe.each(['fastify', 'express'])('%s', (name) => {
  withTools('hello, JSON both ways, a stream, 404, and a load', async () => {
    const app = await startApp('web', { args: [name] });
    const origin = `http://127.0.0.1:${app.ready.port}`;
    expect(JSON.parse(await curl([`${origin}/`]))).toEqual({ hello: 'world', ip: '127.0.0.1' });
    const json = JSON.stringify({ text: 'x'.repeat(500_000) });
    const post = ['--header', 'content-type: application/json', '--data-binary', '@-', `${origin}/echo`];
    expect(await curl(post, { input: json })).toBe(json);
    const script = `curl --silent --noproxy '*' ${origin}/bytes/5000000 | sha256sum`;
    expect((await outputOf('sh', { args: ['-c', script] })).slice(0, 64)).toBe(hashOfBody(5_000_000));
    const missing = ['--write-out', '%{http_code}', '--output', '/dev/null', `${origin}/nothing`];
    expect(await curl(missing)).toBe('404');
    const load = ['--threads', '1', '--connections', '20', '--duration', '1', `${origin}/`];
    expect(await outputOf('wrk', { args: load })).not.toMatch(/Socket errors|Non-2xx/);
    const { tripoll } = await app.stop();
    expect([24, 25]).toContain(tripoll.accepted);
  });
});

test.each([[['websocket']], [['polling']], [['polling', 'websocket']]])(
  'socket.io by %j',
  async (transports) => {
    const { names, hashes, news, tripoll } = await runApp('socket-io', {
      args: transports,
      deadlineMs: 30_000,
    });
    expect({ names, hashes }).toEqual({ names: [transports.at(-1)], hashes: [hashOfBody(1_000_000)] });
    expect(news).toEqual(Array(10).fill('hello'));
    expect(tripoll.accepted).toBeGreaterThanOrEqual(10);
    // A request that is given up may be of a connection that is not made yet.
    expect(tripoll.connected).toBeGreaterThanOrEqual(tripoll.accepted);
  },
  40_000,
);

test.each([
  ['plain', false],
  ['starttls', true],
  ['tls', true],
])(
  'nodemailer to smtp-server, %s',
  async (how, isSecure) => {
    const seen = await runApp('mail', { args: [how], deadlineMs: 30_000 });
    expect(seen).toEqual({
      mails: 20,
      accepted: 20,
      hashes: [hashOfBody(1_000_000)],
      secure: [isSecure],
      tripoll: { accepted: 3, connected: 3 },
    });
  },
  40_000,
);

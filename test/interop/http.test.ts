// curl against Node's http, https and http2 servers on tripoll's sockets.
import { hashOfBody } from './body.js';
import { outputOf, startApp, testWithPrograms } from './tools.js';

const QUIET = ['--silent', '--show-error', '--fail', '--insecure', '--noproxy', '*'];

const withCurl = testWithPrograms('curl');

withCurl('curl fetches from a server whose sockets are tripoll’s', async () => {
  const app = await startApp('http-server', { args: ['http'] });
  const url = `http://127.0.0.1:${app.ready.port}/bytes/100`;
  const got = await outputOf('curl', {
    args: [...QUIET, '--write-out', '%{http_code} %{size_download}', '--output', '/dev/null', url],
  });
  expect(got).toBe('200 100');
  expect(await app.stop()).toMatchObject({ requests: 1, connections: 1, tripoll: { accepted: 1 } });
  expect(hashOfBody(0)).toHaveLength(64);
});

import { Pty } from 'tripoll/net';
import { within } from '../support/deadline.js';
import { expectExit, runExample } from './example.js';

describe('serial-console', () => {
  let pty: Pty;
  beforeEach(() => {
    pty = Pty.open();
  });
  afterEach(() => pty.close());

  test('a line both ways, to the end of the input', async () => {
    const running = runExample('serial-console', [pty.path, '115200']);
    running.write('to the line\n');
    const buffer = new Uint8Array(100);
    let sent = '';
    while (!sent.endsWith('\n')) {
      const count = await within(pty.read(buffer), 'read');
      sent += Buffer.from(buffer.subarray(0, count)).toString();
    }
    expect(sent).toBe('to the line\n');
    await pty.writeAll(Buffer.from('from the line\r\n'));
    await running.printed(/from the line\r\n/);
    running.endInput();
    await expectExit(running, 0, `${pty.path} at 115200 baud`);
  });

  test('SIGINT ends it', async () => {
    const running = runExample('serial-console', [pty.path, '9600']);
    await pty.writeAll(Buffer.from('ready'));
    await running.printed(/ready/);
    running.interrupt();
    await expectExit(running, 0);
  });

  test.each([
    [[], 2, 'usage:'],
    [['/no/such/device', '9600'], 1, 'ENOENT'],
    [['/dev/null', '9600'], 1, 'ENOTTY'],
  ])('%j: exit code %i', async (args: string[], code: number, said: string) => {
    await expectExit(runExample('serial-console', args), code, said);
  });
});

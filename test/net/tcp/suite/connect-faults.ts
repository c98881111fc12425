// How connects end that never get as far as a socket, or whose socket's port is given.
import { connect, TcpStream, type ConnectOptions } from 'tripoll/net';
import { testIf } from '../../../support/applies.js';
import { within } from '../../../support/deadline.js';
import { closed } from '../../../support/errors.js';
import { hasManyLoopbacks } from '../../../support/kernel.js';
import { isWindows } from '../../../support/platform.js';
import {
  failureOf,
  portOf,
  record,
  refusingPort,
  rejection,
  rejectionError,
  type Context,
} from '../../tools.js';
import { DeafPort, heldBy } from '../../stream/tools.js';

const SECOND_HOST = '127.0.0.2';

export function describeConnectFaults(context: Context): void {
  /** Both styles: what each ended with. */
  function failures(port: number, options: ConnectOptions): Promise<unknown>[] {
    const told = record();
    const target = { host: 'a.name', port };
    context.own(connect({ ...target, reactor: context.reactor, ...options }, told.handlers));
    return [rejectionError(TcpStream.connect(target, { reactor: context.reactor, ...options })), told.closed];
  }

  describe('connects that cannot come to be', () => {
    test.each([{}, { timeoutMs: 60_000 }])(
      'F33 the reactor closes while a name is looked up: %j',
      async (options) => {
        const never = { resolver: () => new Promise<string[]>(() => {}), ...options };
        const ends = failures(80, never);
        context.reactor.close();
        const errors = await within(Promise.all(ends), 'the end');
        expect(errors.map(failureOf)).toEqual([closed, closed]);
      },
    );

    test('F16 unref’d, its timeoutMs keeps nothing alive', () => {
      const told = record();
      const resolver = () => new Promise<string[]>(() => {});
      const target = { host: 'a.name', port: 80, reactor: context.reactor, timeoutMs: 60_000, resolver };
      const connection = context.own(connect(target, told.handlers));
      expect(heldBy(context.reactor)).toEqual({ timers: 1, refs: 1 });
      connection.unref();
      expect(heldBy(context.reactor)).toEqual({ timers: 1, refs: 0 });
      connection.ref();
      expect(heldBy(context.reactor)).toEqual({ timers: 1, refs: 1 });
      connection.close();
      expect(context.reactor.inspect().timers).toBe(0);
    });

    test('F16 so do those of reads, writes and accepts', async () => {
      const { stream } = await context.acceptedStream();
      const listener = await context.bind();
      const timeoutMs = 60_000;
      const ends = [
        rejection(stream.read(new Uint8Array(1), { timeoutMs })),
        rejection(listener.accept({ timeoutMs })),
      ];
      stream.unref();
      listener.unref();
      expect(heldBy(context.reactor)).toEqual({ timers: 2, refs: 0 });
      stream.close();
      listener.close();
      expect(await Promise.all(ends)).toEqual([closed, closed]);
    });

    testIf(!isWindows && hasManyLoopbacks, 'loopback has one address')(
      'F12 localPort: the next address has its turn when one hangs, and failures are told',
      async () => {
        const deaf = context.own(new DeafPort());
        const localPort = refusingPort();
        const listener = context.listen({}, { host: SECOND_HOST, port: deaf.port } as object);
        const resolver = () => [['127.0.0.1', SECOND_HOST]].flat();
        const options = { reactor: context.reactor, localPort, resolver, attemptDelayMs: 10 };
        const connecting = TcpStream.connect(
          { host: 'a.name', port: portOf(listener) },
          { ...options, timeoutMs: 400 },
        );
        const stream = context.own(await within(connecting, 'connect'));
        expect(stream.localAddress?.port).toBe(localPort);
        expect(stream.remoteAddress?.address).toBe(SECOND_HOST);
        stream.reset();

        const refused = refusingPort();
        const hosts = () => ['127.0.0.1', SECOND_HOST];
        const both = await rejectionError(
          TcpStream.connect({ host: 'a.name', port: refused }, { ...options, resolver: hosts }),
        );
        expect(both).toMatchObject({ code: 'ECONNREFUSED', errors: [{}, { code: 'ECONNREFUSED' }] });
        const deafLast = { ...options, resolver: () => [SECOND_HOST, '127.0.0.1'], timeoutMs: 60 };
        listener.close();
        const late = await rejectionError(TcpStream.connect({ host: 'a.name', port: deaf.port }, deafLast));
        // A reset, where the connection before it, of the same ports, is not quite gone.
        const code = expect.stringMatching(/^(ECONNREFUSED|ECONNRESET)$/) as string;
        expect(late).toMatchObject({ code: 'ERR_TRIPOLL_TIMEOUT', cause: { code } });
      },
    );
  });
}

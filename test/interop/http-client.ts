// How the tests of http ask: by curl, and by a raw socket of Node's own, which this process's are.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until, within } from '../support/deadline.js';
import { outputOf, type App, type ProgramOptions } from './tools.js';

const QUIET = ['--silent', '--show-error', '--insecure', '--noproxy', '*'];

export async function curl(args: readonly string[], options: ProgramOptions = {}): Promise<string> {
  return outputOf('curl', { ...options, args: [...QUIET, ...args] });
}

/** What the app has seen: this is one more request, of one more connection. */
export interface State {
  readonly requests: number;
  readonly uploads: number;
  readonly connections: number;
  readonly continues: number;
  readonly aborted: number;
  /** Connections, this one among them. */
  readonly open: number;
  readonly fds: number;
}

export async function stateOf({ ready }: App): Promise<State> {
  return JSON.parse(await curl([`http://127.0.0.1:${ready.port}/state`])) as State;
}

/** Waits until it has seen what `condition` says. */
export async function untilState(
  app: App,
  condition: (state: State) => boolean,
  what: string,
): Promise<State> {
  let state = await stateOf(app);
  await until(async () => condition(state) || condition((state = await stateOf(app))), what).catch(
    (error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(state)}`);
    },
  );
  return state;
}

/** A socket whose bytes are kept. */
export interface RawClient {
  readonly socket: Socket;
  /** All that came so far. */
  received(): Buffer;
  /** Resolves with all that came once `condition` holds of it. */
  until(condition: (received: Buffer) => boolean, what: string): Promise<Buffer>;
  /** The same at the connection's end. */
  untilEnd(): Promise<Buffer>;
}

export async function connectRaw({ ready }: App): Promise<RawClient> {
  const socket = connect(ready.port, '127.0.0.1');
  await within(once(socket, 'connect'), 'a raw connection');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  const closed = once(socket, 'close');
  const received = (): Buffer => Buffer.concat(chunks);
  return {
    socket,
    received,
    until: async (condition, what) => {
      await until(() => condition(received()), what);
      return received();
    },
    untilEnd: async () => {
      await within(closed, 'the end of a raw connection');
      return received();
    },
  };
}

// A slip of the pen in an option's name must not be lost (friction 5).
import {
  connect,
  connectUnix,
  listen,
  listenUnix,
  TcpListener,
  TcpStream,
  UnixListener,
  UnixStream,
} from 'tripoll/net';
import { capabilities, Reactor } from 'tripoll';
import { testIf } from '../../support/applies.js';
import { invalidType, thrownBy } from '../../support/errors.js';
import { rejection } from '../tools.js';

describe('an option that does not exist is a TypeError, and nothing is opened', () => {
  let reactor: Reactor;
  beforeEach(() => {
    reactor = new Reactor({ driver: 'manual' });
  });
  afterEach(() => {
    expect(reactor.inspect().registrations).toBe(0);
    reactor.close();
  });
  const wrong = { reusePrt: true } as object;
  const address = '127.0.0.1:9';
  const place = { host: '127.0.0.1', port: 9 };

  test('TCP', async () => {
    const options = { reactor, ...wrong };
    for (const promise of [
      TcpListener.bind('127.0.0.1:0', options),
      TcpListener.bind('127.0.0.1:0', { reactor, socketOptions: wrong }),
      TcpListener.fromFd(0, options),
      TcpStream.connect(address, options),
      TcpStream.connect(address, { reactor, socketOptions: wrong }),
      TcpStream.fromFd(0, options),
    ]) {
      expect(await rejection(promise as Promise<unknown>)).toEqual(invalidType);
    }
    expect(thrownBy(() => listen({ host: '127.0.0.1', port: 0, ...options }, {}))).toEqual(invalidType);
    // Of the handlers, there.
    const drop = () => undefined;
    const misplaced = { host: '127.0.0.1', port: 0, reactor, drop } as never;
    expect(thrownBy(() => listen(misplaced, {}))).toEqual(invalidType);
    expect(thrownBy(() => connect({ ...place, ...options }, {}))).toEqual(invalidType);
  });

  testIf(capabilities.unixSockets, 'no Unix sockets here')('Unix', async () => {
    const options = { reactor, ...wrong };
    const path = '/nowhere/socket';
    for (const promise of [
      UnixListener.bind(path, options),
      UnixStream.connect(path, options),
      UnixStream.fromFd(0, options),
      UnixStream.fromFd(0, { reactor, type: 'stream' } as object),
    ]) {
      expect(await rejection(promise as Promise<unknown>)).toEqual(invalidType);
    }
    expect(thrownBy(() => UnixStream.pair(options))).toEqual(invalidType);
    expect(thrownBy(() => listenUnix({ path, ...options }, {}))).toEqual(invalidType);
    expect(thrownBy(() => connectUnix({ path, ...options }, {}))).toEqual(invalidType);
  });
});

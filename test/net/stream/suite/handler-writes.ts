// What a connection with handlers writes by other ways than `write`: files, lent memory, an urgent
// byte.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { capabilities } from 'tripoll';
import { allocateZeroCopy } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { describeIf, testIf } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { closed, invalidType, outOfRange, thrownBy } from '../../../support/errors.js';
import {
  digest,
  failureOf,
  fdOf,
  pattern,
  rejection,
  rejectionError,
  turnOf,
  type Context,
} from '../../tools.js';
import { fillSocket } from '../tools.js';

const { MSG_OOB } = sys.constants;
const content = pattern(5_000_000, 3);

export function describeHandlerWrites(context: Context): void {
  testIf(!capabilities.sendfile, 'the system has sendfile(2)')(
    'sendfile of a connection is refused where there is none',
    async () => {
      const { connection } = await context.accepted();
      expect((await rejection(connection.sendfile(0)))?.code).toBe('ERR_TRIPOLL_UNSUPPORTED');
    },
  );

  describeIf(capabilities.sendfile, 'the system has no sendfile(2)')(
    'sendfile of a connection with handlers',
    () => {
      let folder: string;
      let file: number;

      beforeAll(() => {
        folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tripoll-sendfile-'));
        fs.writeFileSync(path.join(folder, 'content'), content);
      });
      afterAll(() => fs.rmSync(folder, { recursive: true }));
      beforeEach(() => {
        file = fs.openSync(path.join(folder, 'content'), 'r');
        context.own({ close: () => fs.closeSync(file) });
      });

      test('all of a file, in order with other writes and the end, through a full socket', async () => {
        const { connection, peer, told } = await context.accepted();
        connection.write(Buffer.from('before'));
        const sending = connection.sendfile(file);
        expect(connection.queuedBytes).toBe(0);
        // It waits behind the file: so much that the writer is told to stop, and later to go on.
        const after = pattern(100_000, 4);
        expect(connection.write(after)).toBe(false);
        expect(connection.queuedBytes).toBe(after.length);
        const part = connection.sendfile(file, { offsetBytes: 1000, lengthBytes: 300 });
        connection.end();
        const received = await peer.receiveToEnd();
        expect(await within(Promise.all([sending, part]), 'sendfile')).toEqual([content.length, 300]);
        const expected = [Buffer.from('before'), content, after, content.subarray(1000, 1300)];
        expect(digest(received)).toBe(digest(Buffer.concat(expected)));
        expect(told.events).toEqual(['open', 'drain']);
      });

      test('corked it waits', async () => {
        const { connection, peer } = await context.accepted();
        connection.cork();
        const sending = connection.sendfile(file, { lengthBytes: 10 });
        await turnOf(context.reactor);
        expect(peer.receive()).toBeNull();
        connection.uncork();
        expect(await within(sending, 'sendfile')).toBe(10);
        expect(digest(await peer.receiveBytes(10))).toBe(digest(content.subarray(0, 10)));
      });

      test('what is wrong with the file rejects, and the connection stays as it was', async () => {
        const { connection, peer, told } = await context.accepted();
        const closedFile = fs.openSync(path.join(folder, 'content'), 'r');
        fs.closeSync(closedFile);
        const error = await rejectionError(connection.sendfile(closedFile));
        expect(error).toMatchObject({ code: 'EBADF', syscall: 'sendfile' });
        connection.write(Buffer.from('still here'));
        expect((await peer.receiveBytes(10)).toString()).toBe('still here');
        expect(told.events).toEqual(['open']);
      });

      test('T43 the peer has gone: the same error for the promise, error and close', async () => {
        const { connection, peer, told } = await context.accepted();
        const sending = connection.sendfile(file);
        await turnOf(context.reactor);
        peer.reset();
        const { code } = await rejectionError(sending);
        expect(code).toMatch(/EPIPE|ECONNRESET/);
        expect(failureOf(await within(told.closed, 'close'))?.code).toBe(code);
        expect(told.errors.map((error) => failureOf(error)?.code)).toEqual([code]);
      });

      test('aborted half-way: the connection is destroyed', async () => {
        const { connection, told } = await context.accepted();
        const error = (await rejectionError(connection.sendfile(file, { timeoutMs: 30 }))) as Error & {
          bytesWritten?: number;
        };
        expect(failureOf(error)?.code).toBe('ERR_TRIPOLL_TIMEOUT');
        expect(error.bytesWritten).toBeGreaterThan(0);
        expect(failureOf(await within(told.closed, 'close'))?.code).toBe('ERR_TRIPOLL_STATE');
      });

      test('wrong arguments, after end, after close', async () => {
        const { connection } = await context.accepted();
        expect(await rejection(connection.sendfile('3' as never))).toEqual(invalidType);
        expect(await rejection(connection.sendfile(file, { offsetBytes: -1 }))).toEqual(outOfRange);
        connection.end();
        expect((await rejection(connection.sendfile(file)))?.code).toBe('ERR_TRIPOLL_STATE');
        connection.close();
        expect(await rejection(connection.sendfile(file))).toEqual(closed);
      });
    },
  );

  describe('urgent data from a connection with handlers', () => {
    test('in the order of the other writes, by the same marks', async () => {
      const marks = { highWaterMarkBytes: 7, lowWaterMarkBytes: 0 };
      const { connection, peer, told } = await context.accepted({}, marks);
      const filledBytes = await fillSocket(context, fdOf(connection), peer);
      expect(connection.write(Buffer.from('12345'))).toBe(true);
      expect(connection.sendUrgent(7)).toBe(true);
      expect(connection.queuedBytes).toBe(6);
      expect(connection.write(Buffer.from('67'))).toBe(false);
      const urgent = new Uint8Array(1);
      const ends = new Set<number>();
      let read = 0;
      await until(() => {
        // Before it is passed, or it is lost.
        sys.recv(peer.fd, urgent, 0, 1, MSG_OOB);
        const got = peer.receive(1 << 20);
        if (typeof got === 'number') throw new Error(`errno ${got}`);
        read += got?.length ?? 0;
        ends.add(read);
        return read === filledBytes + 7;
      }, 'all of it');
      await until(() => told.events.includes('drain'), 'drain');
      expect(connection.queuedBytes).toBe(0);
      expect(urgent[0]).toBe(7);
      // A receive stops at its place.
      expect(ends.has(filledBytes + 5)).toBe(true);
    });

    test('too many that wait end the connection, as too many bytes do', async () => {
      const { connection, peer, told } = await context.accepted({}, { maxQueuedBytes: 3 });
      await fillSocket(context, fdOf(connection), peer);
      for (let i = 0; i < 3; i++) expect(connection.sendUrgent(i)).toBe(true);
      expect(connection.sendUrgent(4)).toBe(false);
      expect(failureOf(await within(told.closed, 'close'))?.code).toBe('ERR_TRIPOLL_WRITE_OVERFLOW');
    });

    test('wrong arguments, after end, after close', async () => {
      const { connection, told } = await context.accepted();
      expect(thrownBy(() => connection.sendUrgent(256))).toEqual(outOfRange);
      expect(thrownBy(() => connection.sendUrgent('x' as never))).toEqual(invalidType);
      connection.end();
      expect(thrownBy(() => connection.sendUrgent(1)).code).toBe('ERR_TRIPOLL_STATE');
      connection.close();
      expect(thrownBy(() => connection.sendUrgent(1))).toEqual(closed);
      await within(told.closed, 'close');
    });
  });

  describeIf(capabilities.zeroCopy, 'the system has no MSG_ZEROCOPY')(
    'zero-copy writes of a connection with handlers',
    () => {
      test('in order; settled when the memory has come back, of which no handler hears', async () => {
        const { connection, told, peer } = await context.accepted();
        const memory = allocateZeroCopy(3_000_000);
        memory.set(pattern(memory.length, 9));
        connection.write(Buffer.from('before'));
        const writing = connection.writeZeroCopy(memory);
        connection.write(Buffer.from('after'));
        const received = await peer.receiveBytes(memory.length + 11);
        expect(await within(writing, 'write')).toEqual({ bytesWritten: memory.length, copied: true });
        const expected = [Buffer.from('before'), memory, Buffer.from('after')];
        expect(digest(received)).toBe(digest(Buffer.concat(expected)));
        peer.send('hi');
        await until(() => told.received() === 2, 'data');
        expect(told.events).toEqual(['open', 'data']);
      });

      test('a notice and bytes in one event: both are taken', async () => {
        const { connection, told, peer } = await context.accepted();
        const writing = connection.writeZeroCopy(allocateZeroCopy(5000));
        let received = 0;
        while (received < 5000) received += (peer.receive() as Buffer).length;
        peer.send('hi');
        expect(await within(writing, 'write')).toEqual({ bytesWritten: 5000, copied: true });
        await until(() => told.received() === 2, 'data');
      });

      test('closed meanwhile, wrong memory', async () => {
        const { connection, told } = await context.accepted();
        expect(await rejection(connection.writeZeroCopy(new Uint8Array(8)))).toEqual(invalidType);
        const writing = connection.writeZeroCopy(allocateZeroCopy(20_000_000));
        connection.close();
        expect((await rejection(writing))?.code).toBe('ERR_TRIPOLL_CLOSED');
        expect(await within(told.closed, 'close')).toBeNull();
      });
    },
  );
}

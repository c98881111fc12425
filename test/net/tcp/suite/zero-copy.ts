import { capabilities } from 'tripoll';
import { allocateZeroCopy } from 'tripoll/net';
import { native, type NativeBinding } from '#lib/binding/native';
import { describeIf, testIf } from '../../../support/applies.js';
import { until, within } from '../../../support/deadline.js';
import { invalidType, outOfRange, thrownBy } from '../../../support/errors.js';
import { digest, pattern, readToEnd, rejection, rejectionError, turnOf, type Context } from '../../tools.js';

/** `native[name]` is replaced while `use` runs. */
async function replaced<Name extends keyof NativeBinding>(
  name: Name,
  make: (original: NativeBinding[Name]) => NativeBinding[Name],
  use: () => Promise<void>,
): Promise<void> {
  const binding = native as { -readonly [Key in Name]: NativeBinding[Key] };
  const original = native[name];
  binding[name] = make(original);
  try {
    await use();
  } finally {
    binding[name] = original;
  }
}

export function describeZeroCopy(context: Context): void {
  testIf(!capabilities.zeroCopy, 'the system has MSG_ZEROCOPY')('memory for zero-copy is refused', () => {
    expect(thrownBy(() => allocateZeroCopy(4096)).code).toBe('ERR_TRIPOLL_UNSUPPORTED');
  });

  describeIf(capabilities.zeroCopy, 'the system has no MSG_ZEROCOPY')('zero-copy writes', () => {
    test('all bytes, in order; settled when the memory has come back; on loopback the kernel copies, and says so', async () => {
      const { client, server } = await context.streamPair();
      const memory = allocateZeroCopy(3_000_000);
      memory.set(pattern(memory.length, 9));
      const results = Promise.all([
        client.writeAll(Buffer.from('before')),
        client.writeZeroCopy(memory),
        client.writeZeroCopy(memory.subarray(100, 20_100)),
        client.writeAll(Buffer.from('after')),
      ]);
      client.end();
      const received = await readToEnd(server);
      const [, big, part] = await within(results, 'writes');
      expect(big).toEqual({ bytesWritten: 3_000_000, copied: true });
      expect(part).toEqual({ bytesWritten: 20_000, copied: true });
      const expected = [Buffer.from('before'), memory, memory.subarray(100, 20_100), Buffer.from('after')];
      expect(digest(received)).toBe(digest(Buffer.concat(expected)));
    });

    test('not before the peer has it: while the notices are out, it waits', async () => {
      const { client, server } = await context.streamPair();
      const memory = allocateZeroCopy(50_000);
      let settled = false;
      let held = true;
      // As a network card would: the notice comes late.
      await replaced(
        'takeZeroCopyNotice',
        (original) => (fd, out) => (held ? -11 : (original?.(fd, out) ?? -11)),
        async () => {
          const writing = client.writeZeroCopy(memory).then((result) => {
            settled = true;
            return result;
          });
          let received = 0;
          const buffer = new Uint8Array(65_536);
          while (received < memory.length) received += await within(server.read(buffer), 'read');
          await turnOf(context.reactor);
          expect(settled).toBe(false);
          held = false;
          client.requeue(32);
          expect((await within(writing, 'write')).bytesWritten).toBe(50_000);
        },
      );
    });

    test('the stream is read from meanwhile: a notice is no error of it', async () => {
      const { client, server } = await context.streamPair();
      const memory = allocateZeroCopy(40_000);
      const reading = client.read(new Uint8Array(16));
      const writing = client.writeZeroCopy(memory);
      const buffer = new Uint8Array(65_536);
      for (let received = 0; received < memory.length;) received += await within(server.read(buffer), 'read');
      await within(writing, 'write');
      await server.writeAll(Buffer.from('hi'));
      expect(await within(reading, 'read')).toBe(2);
      expect(client.closed).toBe(false);
      await until(() => context.reactor.inspect().registrations === 2, 'both open');
    });

    test('a notice and bytes in one event: both are taken', async () => {
      const { stream, peer } = await context.acceptedStream();
      const reading = stream.read(new Uint8Array(16));
      const writing = stream.writeZeroCopy(allocateZeroCopy(5000));
      // All of it before the next turn.
      let received = 0;
      while (received < 5000) received += (peer.receive() as Buffer).length;
      peer.send('hi');
      expect(await within(writing, 'write')).toEqual({ bytesWritten: 5000, copied: true });
      expect(await within(reading, 'read')).toBe(2);
    });

    test('T47 more notices than an event takes: the rest in the next turn', async () => {
      const { client, server } = await context.streamPair();
      let others = 70;
      await replaced(
        'takeZeroCopyNotice',
        // First entries of other kinds, such as ICMP errors.
        (original) => (fd, out) => (others-- > 0 ? 0 : (original?.(fd, out) ?? -11)),
        async () => {
          const writing = client.writeZeroCopy(allocateZeroCopy(5000));
          const buffer = new Uint8Array(8192);
          for (let received = 0; received < 5000;) received += await within(server.read(buffer), 'read');
          expect((await within(writing, 'write')).bytesWritten).toBe(5000);
        },
      );
      expect(others).toBeLessThan(0);
    });

    test('where the kernel lends nothing it is copied: ENOBUFS, and a kind of socket that cannot', async () => {
      const { client, server } = await context.streamPair();
      const memory = allocateZeroCopy(10_000).fill(7);
      const { MSG_ZEROCOPY = 0 } = native.constants;
      const { ENOBUFS } = native.errnos;
      let refused = 0;
      await replaced(
        'send',
        (original) => (fd, bytes, offset, length, flags) => {
          if ((flags & MSG_ZEROCOPY) === 0) return original(fd, bytes, offset, length, flags);
          refused++;
          return -ENOBUFS;
        },
        async () => {
          expect(await within(client.writeZeroCopy(memory), 'write')).toEqual({
            bytesWritten: 10_000,
            copied: true,
          });
        },
      );
      expect(refused).toBeGreaterThan(0);
      client.end();
      expect((await readToEnd(server)).equals(memory)).toBe(true);
    });

    test('cancelled while it is out: the stream is destroyed; closed: rejected', async () => {
      const never = () => () => -11;
      await replaced('takeZeroCopyNotice', never, async () => {
        const { client, server } = await context.streamPair();
        const writing = client.writeZeroCopy(allocateZeroCopy(5000), { timeoutMs: 30 });
        expect(await within(server.read(new Uint8Array(5000)), 'read')).toBeGreaterThan(0);
        expect(await rejectionError(writing)).toMatchObject({
          code: 'ERR_TRIPOLL_TIMEOUT',
          bytesWritten: 5000,
        });
        expect(client.closed).toBe(true);

        const second = await context.streamPair();
        const lost = second.client.writeZeroCopy(allocateZeroCopy(5000));
        await turnOf(context.reactor);
        second.client.close();
        expect((await rejection(lost))?.code).toBe('ERR_TRIPOLL_CLOSED');
        expect(context.reactor.inspect().timers).toBe(0);
      });
    });

    test('F30 settles when the stream ends, or is aborted, in the turn of the write', async () => {
      await replaced(
        'takeZeroCopyNotice',
        () => () => -11,
        async () => {
          const { client } = await context.streamPair();
          const { connection } = await context.accepted();
          const writes = [client, connection].map((one) => one.writeZeroCopy(allocateZeroCopy(5000)));
          client.close();
          connection.close();
          for (const write of writes) expect((await rejection(write))?.code).toBe('ERR_TRIPOLL_CLOSED');

          const second = (await context.streamPair()).client;
          const { connection: third } = await context.accepted();
          for (const one of [second, third]) {
            const controller = new AbortController();
            const write = one.writeZeroCopy(allocateZeroCopy(5000), { signal: controller.signal });
            controller.abort();
            expect(await rejectionError(write)).toMatchObject({ code: 'ABORT_ERR', bytesWritten: 5000 });
            expect(one.closed).toBe(true);
          }
        },
      );
    });

    test('only memory that was allocated for it', async () => {
      const { client } = await context.streamPair();
      expect(await rejection(client.writeZeroCopy(new Uint8Array(10)))).toEqual(invalidType);
      expect(await rejection(client.writeZeroCopy('x' as never))).toEqual(invalidType);
      expect(await rejection(client.writeZeroCopy(allocateZeroCopy(1), { timeoutMs: -1 }))).toEqual(
        outOfRange,
      );
      expect(thrownBy(() => allocateZeroCopy(0))).toEqual(outOfRange);
      expect(thrownBy(() => allocateZeroCopy(2 ** 40))).toEqual(outOfRange);
      expect(client.closed).toBe(false);
      expect(await client.writeZeroCopy(allocateZeroCopy(8).subarray(0, 0))).toEqual({
        bytesWritten: 0,
        copied: expect.any(Boolean) as boolean,
      });
    });
  });
}

import { DatagramBatch } from 'tripoll/net';
import { thrownBy, outOfRange } from '../../../support/errors.js';
import { rejection, type Context } from '../../tools.js';
import { within } from '../../../support/deadline.js';
import { native } from '#lib/binding/native';
import { bound, bytesOf, connected, hostPortOf, isLinux, OTHER_FAMILY, swapped, textOf } from '../tools.js';

export function describeBatches(context: Context): void {
  describe('batches', () => {
    test('many there and many back, a call each way where there are such calls', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      const out = new DatagramBatch();
      for (let i = 0; i < 60; i++) out.push(bytesOf(`no. ${i}`));
      expect(await within(client.sendMany(out), 'sendMany')).toBe(60);
      expect(out).toMatchObject({ settled: 60, failed: 0, calls: isLinux ? 1 : 60 });
      const batch = new DatagramBatch();
      expect(await within(server.recvMany(batch), 'recvMany')).toBe(60);
      expect(batch).toMatchObject({ count: 60, calls: isLinux ? 1 : 61 });
      expect(textOf(batch.payload(59))).toBe('no. 59');
      expect(batch.address(59)).toEqual(client.localAddress);
      // Back as it is: each to who sent it.
      expect(await within(server.sendMany(batch), 'sendMany')).toBe(60);
      expect(await within(client.recvMany(out), 'recvMany')).toBe(60);
      expect(textOf(out.payload(7))).toBe('no. 7');
    });

    test('nothing is made for a datagram: views and addresses are the same objects', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      const batch = new DatagramBatch({ capacity: 4, slotBytes: 16 });
      await client.send(bytesOf('one'));
      await within(server.recvMany(batch), 'recvMany');
      const [view, address, slot] = [batch.payload(0), batch.address(0), batch.slot(0)];
      await client.send(bytesOf('two'));
      await within(server.recvMany(batch), 'recvMany');
      expect(batch.payload(0)).toBe(view);
      expect(batch.address(0)).toBe(address);
      expect(batch.slot(0)).toBe(slot);
      expect(textOf(view)).toBe('two');
      await client.send(bytesOf('longer'));
      await within(server.recvMany(batch), 'recvMany');
      expect(textOf(batch.payload(0))).toBe('longer');
    });

    test('recvMany waits for the first, and takes what is there', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      const batch = new DatagramBatch({ capacity: 2, slotBytes: 8 });
      const receiving = server.recvMany(batch);
      for (const text of ['a', 'b', '123456789']) await client.send(bytesOf(text));
      let got = await within(receiving, 'recvMany');
      const texts: string[] = [];
      for (;;) {
        for (let i = 0; i < got; i++) texts.push(textOf(batch.payload(i)) + String(batch.isTruncated(i)));
        if (texts.length === 3) break;
        got = await within(server.recvMany(batch), 'recvMany');
      }
      expect(texts).toEqual(['afalse', 'bfalse', '12345678true']);
      expect(batch.wireBytes(batch.count - 1)).toBe(isLinux ? 9 : 8);
    });

    test('answers go by copied addresses, without a string', async () => {
      const server = await bound(context);
      const clients = await Promise.all([0, 1, 2].map(() => connected(context, server)));
      for (const [i, client] of clients.entries()) await client.send(bytesOf(`q${i}`));
      const queries = new DatagramBatch();
      const answers = new DatagramBatch();
      for (let got = 0; got < 3;) {
        got += await within(server.recvMany(queries), 'recvMany');
        answers.clear();
        for (let i = 0; i < queries.count; i++) {
          const index = answers.add(queries.lengthBytes(i) + 1);
          answers.slot(index).set(queries.payload(i));
          answers.slot(index)[queries.lengthBytes(i)] = 0x21;
          answers.copyAddress(index, queries, i);
        }
        await within(server.sendMany(answers), 'sendMany');
      }
      const buffer = new Uint8Array(10);
      for (const [i, client] of clients.entries()) {
        const { lengthBytes: bytes } = await within(client.receive(buffer), 'answer');
        expect(textOf(buffer.subarray(0, bytes))).toBe(`q${i}!`);
      }
    });

    test('T45 one that cannot be sent does not keep the others, and is the one that is told', async () => {
      const server = await bound(context);
      const sender = await bound(context);
      const batch = new DatagramBatch({ capacity: 5, slotBytes: 65_536 });
      for (const text of ['a', 'b', 'c', 'd', 'e']) batch.push(bytesOf(text), hostPortOf(server));
      // Longer than any datagram; and a family that is not the socket's.
      batch.setLengthBytes(1, 65_536);
      batch.setAddress(3, '[::1]:9');
      expect(await within(sender.sendMany(batch), 'sendMany')).toBe(3);
      expect(batch).toMatchObject({ settled: 5, failed: 2 });
      const codes = [0, 1, 2, 3, 4].map((i) => batch.errorOf(i)?.code ?? null);
      expect(codes).toEqual([null, 'EMSGSIZE', null, OTHER_FAMILY, null]);
      expect(batch.errorOf(1)).toMatchObject({ syscall: 'sendmsg', port: hostPortOf(server).port });
      const got = new DatagramBatch();
      let texts = '';
      while (texts.length < 3) {
        await within(server.recvMany(got), 'recvMany');
        for (let i = 0; i < got.count; i++) texts += textOf(got.payload(i));
      }
      expect(texts).toBe('ace');
    });

    test('a batch that was sent is sent again by the next call', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      const batch = new DatagramBatch({ capacity: 2 });
      batch.push(bytesOf('x'));
      expect(await client.sendMany(batch)).toBe(1);
      expect(await client.sendMany(batch)).toBe(1);
      expect(await client.sendMany(batch.clear())).toBe(0);
      const got = new DatagramBatch();
      let count = 0;
      while (count < 2) count += await within(server.recvMany(got), 'recvMany');
      expect(count).toBe(2);
    });

    test('a full batch takes no more', () => {
      const batch = new DatagramBatch({ capacity: 1, slotBytes: 4 });
      expect(batch.push(bytesOf('abcd'))).toBe(true);
      expect(batch.push(bytesOf('e'))).toBe(false);
      expect(batch.add(1)).toBe(-1);
      expect(thrownBy(() => batch.payload(1))).toMatchObject(outOfRange);
      expect(thrownBy(() => batch.clear().payload(0))).toMatchObject(outOfRange);
      expect(thrownBy(() => batch.push(bytesOf('fives')))).toMatchObject(outOfRange);
    });

    test('T07 memory that was transferred away is refused, not written', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      const batch = new DatagramBatch({ capacity: 1 });
      batch.push(bytesOf('x'));
      structuredClone(null, { transfer: [batch.payload(0).buffer as ArrayBuffer] });
      expect(await rejection(client.sendMany(batch))).toMatchObject(outOfRange);
      await client.send(bytesOf('y'));
      expect(await rejection(server.recvMany(batch))).toMatchObject(outOfRange);
      expect((await within(server.receive(new Uint8Array(4)), 'receive')).lengthBytes).toBe(1);
    });

    test('an error that came after datagrams is told by the next receive', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      await client.send(bytesOf('x'));
      const header = (records: Uint8Array) => new Uint32Array(records.buffer, records.byteOffset, 8);
      await swapped(
        'udpReceive',
        (real) => (fd, records, payload, slotBytes, first, count, options) => {
          const got = real(fd, records, payload, slotBytes, first, count, options);
          if (got > 0) header(records)[1] = native.errnos['ENETDOWN'] ?? 0;
          return got;
        },
        async () => {
          expect(await within(server.recvMany(new DatagramBatch()), 'recvMany')).toBe(1);
        },
      );
      expect(await rejection(server.recvMany(new DatagramBatch()))).toMatchObject({ code: 'ENETDOWN' });
      await client.send(bytesOf('y'));
      expect(await within(server.recvMany(new DatagramBatch()), 'recvMany')).toBe(1);
    });

    test('and at once by one that waits already, since no event would tell it', async () => {
      const server = await bound(context);
      const client = await connected(context, server);
      const header = (records: Uint8Array) => new Uint32Array(records.buffer, records.byteOffset, 8);
      await swapped(
        'udpReceive',
        (real) => (fd, records, payload, slotBytes, first, count, options) => {
          const got = real(fd, records, payload, slotBytes, first, count, options);
          if (got > 0) header(records)[1] = native.errnos['ENETDOWN'] ?? 0;
          return got;
        },
        async () => {
          const first = server.recvMany(new DatagramBatch());
          const second = rejection(server.receive(new Uint8Array(9)));
          await client.send(bytesOf('x'));
          expect(await within(first, 'recvMany')).toBe(1);
          expect(await second).toMatchObject({ code: 'ENETDOWN' });
        },
      );
    });
  });
}

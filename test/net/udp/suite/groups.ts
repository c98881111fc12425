import { UdpSocket } from 'tripoll/net';
import { rejection, type Context } from '../../tools.js';
import { within } from '../../../support/deadline.js';
import { thrownBy } from '../../../support/errors.js';
import { testIf } from '../../../support/applies.js';
import { testLoopbacks } from '../../../support/kernel.js';
import { isWine } from '../../../support/platform.js';
import { bound, bytesOf, hostPortOf, LOOPBACK_NAME, testLoopbackSource, textOf, V4 } from '../tools.js';

const GROUP = '239.77.1.2';
const ROOM = 100;

const testOtherMember = testIf(!isWine, 'Wine leaves IP_MULTICAST_ALL of Linux as it is');

export function describeGroups(context: Context): void {
  describe('groups and broadcast', () => {
    const onLoopback = { socketOptions: { multicastInterface: LOOPBACK_NAME } };
    const anySource = '0.0.0.0';

    /** The texts that arrive until 'end' does, which every sender's group hears last. */
    async function textsUntilEnd(socket: Awaited<ReturnType<typeof bound>>): Promise<string[]> {
      const buffer = new Uint8Array(ROOM);
      const texts: string[] = [];
      for (;;) {
        const { lengthBytes: bytes } = await within(socket.receive(buffer), 'receive');
        const text = textOf(buffer.subarray(0, bytes));
        if (text === 'end') return texts;
        texts.push(text);
      }
    }

    test('a member hears its group until it leaves', async () => {
      const member = await bound(context, { socketOptions: { receivePacketInfo: true } }, anySource);
      const sender = await bound(context, onLoopback);
      const target = { host: GROUP, port: hostPortOf(member).port };
      const direct = { host: V4, port: target.port };
      await sender.send(bytesOf('before'), target);
      member.join(GROUP, { interface: LOOPBACK_NAME });
      await sender.send(bytesOf('in'), target);
      const buffer = new Uint8Array(ROOM);
      expect(await within(member.receive(buffer), 'receive')).toMatchObject({
        lengthBytes: 2,
        destination: GROUP,
        interfaceIndex: 1,
      });
      member.leave(GROUP, { interface: LOOPBACK_NAME });
      await sender.send(bytesOf('after'), target);
      await sender.send(bytesOf('end'), direct);
      expect(await textsUntilEnd(member)).toEqual([]);
    });

    testLoopbackSource('of two sources only the one that was joined is heard', async () => {
      const member = await bound(context, {}, anySource);
      const wanted = await bound(context, onLoopback, '127.0.0.1');
      const other = await bound(context, onLoopback, '127.0.0.2');
      const target = { host: GROUP, port: hostPortOf(member).port };
      member.join(GROUP, { interface: 1, source: '127.0.0.1' });
      await other.send(bytesOf('other'), target);
      await wanted.send(bytesOf('wanted'), target);
      await wanted.send(bytesOf('end'), { host: V4, port: target.port });
      expect(await textsUntilEnd(member)).toEqual(['wanted']);
      member.leave(GROUP, { interface: 1, source: '127.0.0.1' });
    });

    testLoopbackSource('a source is blocked and unblocked', async () => {
      const member = await bound(context, {}, anySource);
      const sender = await bound(context, onLoopback, '127.0.0.2');
      const target = { host: GROUP, port: hostPortOf(member).port };
      member.join(GROUP, { interface: LOOPBACK_NAME });
      member.blockSource(GROUP, '127.0.0.2', { interface: LOOPBACK_NAME });
      await sender.send(bytesOf('blocked'), target);
      member.unblockSource(GROUP, '127.0.0.2', { interface: LOOPBACK_NAME });
      await sender.send(bytesOf('heard'), target);
      await sender.send(bytesOf('end'), target);
      expect(await textsUntilEnd(member)).toEqual(['heard']);
    });

    testOtherMember('a group that only another socket has joined is not heard', async () => {
      const reuse = { reuseAddress: true };
      const member = await bound(context, reuse, anySource);
      const { port } = hostPortOf(member);
      const stranger = context.own(
        await UdpSocket.bind({ host: anySource, port }, { reactor: context.reactor, ...reuse }),
      );
      member.join(GROUP, { interface: LOOPBACK_NAME });
      const sender = await bound(context, onLoopback);
      await sender.send(bytesOf('x'), { host: GROUP, port });
      expect((await within(member.receive(new Uint8Array(ROOM)), 'member')).lengthBytes).toBe(1);
      expect(await rejection(stranger.receive(new Uint8Array(ROOM), { timeoutMs: 5 }))).toMatchObject({
        code: 'ERR_TRIPOLL_TIMEOUT',
      });
    });

    test('multicastLoop off: this host does not hear it', async () => {
      const member = await bound(context, {}, anySource);
      const target = { host: GROUP, port: hostPortOf(member).port };
      member.join(GROUP, { interface: LOOPBACK_NAME });
      const silent = await bound(context, {
        socketOptions: { multicastLoop: false, multicastTtl: 0, ...onLoopback.socketOptions },
      });
      const loud = await bound(context, onLoopback);
      await silent.send(bytesOf('silent'), target);
      await loud.send(bytesOf('end'), target);
      const heard = await textsUntilEnd(member);
      // lo itself sends it back to whoever listens there, on some kernels.
      expect(heard.length).toBeLessThanOrEqual(1);
    });

    test('what is wrong with a membership is told', async () => {
      const member = await bound(context, {}, anySource);
      member.join(GROUP, { interface: LOOPBACK_NAME });
      expect(thrownBy(() => member.join(GROUP, { interface: LOOPBACK_NAME }))).toMatchObject({
        code: 'EADDRINUSE',
        syscall: 'setsockopt',
      });
      expect(thrownBy(() => member.leave('239.9.9.9', { interface: LOOPBACK_NAME }))).toMatchObject({
        code: isWine ? 'EINVAL' : 'EADDRNOTAVAIL',
      });
      expect(thrownBy(() => member.join(GROUP, { interface: 'none0' }))).toMatchObject({
        code: 'ENODEV',
        syscall: 'if_nametoindex',
      });
      expect(thrownBy(() => member.join('10.0.0.1', { interface: LOOPBACK_NAME }))).toMatchObject({
        code: 'EINVAL',
      });
      expect(thrownBy(() => member.join('somewhere'))).toMatchObject({ name: 'RangeError' });
      member.close();
      expect(thrownBy(() => member.join(GROUP))).toMatchObject({ code: 'ERR_TRIPOLL_CLOSED' });
    });

    testLoopbacks('broadcast is allowed when it was asked for', async () => {
      const server = await bound(context, {}, anySource);
      const sender = await bound(context);
      const target = { host: '127.255.255.255', port: hostPortOf(server).port };
      expect(await rejection(sender.send(bytesOf('x'), target))).toMatchObject({ code: 'EACCES' });
      sender.setOption('broadcast', true);
      await sender.send(bytesOf('x'), target);
      expect((await within(server.receive(new Uint8Array(ROOM)), 'receive')).lengthBytes).toBe(1);
    });
  });
}

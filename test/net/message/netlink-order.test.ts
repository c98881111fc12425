// A full receiver of another kind of message socket: netlink tells a sender of no room either.
import { NetlinkSocket } from 'tripoll/net';
import { systemBackend } from '../../support/backends.js';
import { testIf } from '../../support/applies.js';
import { until, within } from '../../support/deadline.js';
import { describeOn, rejection } from '../tools.js';

/** NETLINK_USERSOCK: whatever programs tell each other. */
const USERSOCK = 2;
const MESSAGE_BYTES = 2000;
/** The first type that is not netlink's own (NLMSG_MIN_TYPE, linux/netlink.h). */
const MESSAGE_TYPE = 0x10;

function message(index: number): Buffer {
  const bytes = Buffer.alloc(MESSAGE_BYTES);
  bytes.writeUInt32LE(MESSAGE_BYTES, 0);
  bytes.writeUInt16LE(MESSAGE_TYPE, 4);
  bytes.writeUInt32LE(index, 8);
  return bytes;
}

describeOn(['nested epoll', 'watcher poll'], 'netlink', (context) => {
  testIf(systemBackend === 'epoll', 'only Linux has netlink')(
    'F6 T72 sends to a full receiver wait in order, and go out when it has room',
    async () => {
      const sender = context.own(new NetlinkSocket(USERSOCK, { reactor: context.reactor }));
      const receiver = context.own(new NetlinkSocket(USERSOCK, { reactor: context.reactor }));
      const to = receiver.localAddress;
      let held = 0;
      const isFull = async () =>
        (await rejection(sender.send(message(held), to, { timeoutMs: 20 })).catch(() => null)) !== null ||
        ++held < 0;
      await until(isFull, 'a full receiver');
      const sends = [0, 1, 2].map((i) => sender.send(message(held + i), to));
      const buffer = Buffer.alloc(MESSAGE_BYTES);
      const seen: number[] = [];
      for (let i = 0; i < held + 3; i++) {
        await within(receiver.receive(buffer), `message ${i}`);
        seen.push(buffer.readUInt32LE(8));
        // Room for one, which this is not to take.
        if (i === 0) sends.push(sender.send(message(held + 3), to));
      }
      await within(receiver.receive(buffer), 'the last');
      seen.push(buffer.readUInt32LE(8));
      expect(seen).toEqual(Array.from({ length: held + 4 }, (_, i) => i));
      expect(await Promise.all(sends)).toEqual(Array(4).fill(MESSAGE_BYTES));
    },
  );
});

// What tests of writes that are given up stand on: a socket that was filled is full until its peer
// reads.
import { sys } from 'tripoll/raw';
import { testIf } from '../../support/applies.js';
import { isOldWine } from '../../support/platform.js';
import { describeOn, fdOf, passedMs } from '../tools.js';
import { blockedStream } from './tools.js';

/** Longer than an acknowledgement is held back, and than Linux waits before its first window probe. */
const LATE_MS = 300;

const testFilled = testIf(!isOldWine, 'Wine 8 takes a little more, later');

describeOn(['watcher epoll', 'watcher iocp'], 'a stream whose socket was filled', (context) => {
  testFilled('takes nothing before its peer reads, and all afterwards', async () => {
    const { stream, peer, filledBytes } = await blockedStream(context);
    await passedMs(context.reactor, LATE_MS);
    expect(sys.send(fdOf(stream), new Uint8Array(1))).toBe(-sys.errno.EAGAIN);
    await peer.receiveBytes(filledBytes);
    await stream.writeAll(new Uint8Array(1));
    expect(await peer.receiveBytes(1)).toHaveLength(1);
  });
});

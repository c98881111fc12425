// A system cannot be made to run out of fds at the second duplicate of three: the call is swapped.
import { sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { OutgoingFds } from '#lib/net/message/outgoing-fds';
import { thrownBy } from '../../support/errors.js';
import { describeUnixMessages } from '../../support/kernel.js';
import { openedSince, openFds } from '../../support/fds.js';
import { openPipe } from '../../support/pairs.js';

const { F_DUPFD_CLOEXEC } = sys.constants;
const { fcntl } = native;

afterEach(() => {
  native.fcntl = fcntl;
});

describeUnixMessages('fds to pass', () => {
  test.each([1, 2, 3])('T46 EMFILE at duplicate %i of three: those before it are closed', (failing) => {
    const pipe: number[] = [];
    openPipe(pipe);
    const [read = -1, write = -1] = pipe;
    const fds = new OutgoingFds([read, write, read]);
    const before = openFds();
    let duplicates = 0;
    native.fcntl = (fd, command, argument) => {
      const fails = command === F_DUPFD_CLOEXEC && ++duplicates === failing;
      return fails ? -sys.errno.EMFILE : fcntl(fd, command, argument);
    };
    expect(thrownBy(() => fds.duplicate()).code).toBe('EMFILE');
    expect(duplicates).toBe(failing);
    expect(openedSince(before)).toEqual([]);
    native.fcntl = fcntl;
    fds.duplicate().close();
    expect(openedSince(before)).toEqual([]);
    for (const fd of pipe) sys.close(fd);
  });
});

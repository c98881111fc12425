import { stateError } from '../../binding/errors.js';
import { checkBytes } from '../../binding/validate.js';
import { checkCall, type CancelOptions } from '../../reactor/cancellation.js';
import { detachFd, whenSent, type HandleDetails, type SocketHandle } from '../socket/detached.js';
import { handOut } from './opening.js';
import * as State from './state.js';
import type { StreamFace } from './face.js';
import { pushSource, queueWrite } from './writing.js';

/** Options of a stream's `detach`. */
export interface DetachOptions extends CancelOptions {
  /**
   * What was read from the socket and is for whoever attaches it, as `handle.unread`: it is copied
   * by the call.
   */
  unread?: Uint8Array | undefined;
}

/** What `detach` does; `end`: how the stream ends when its socket is gone. */
export async function detachStream<Kind extends 'tcp' | 'unix'>(
  stream: StreamFace,
  kind: Kind,
  options: DetachOptions,
  end: () => void,
): Promise<SocketHandle<Kind>> {
  checkCall(options, { unread: true });
  const { unread, signal, timeoutMs } = options;
  if (unread !== undefined) checkBytes('unread', unread);
  // It may be what a handler was lent.
  const copied = unread === undefined || unread.length === 0 ? {} : { unread: Uint8Array.from(unread) };
  checkConnected(stream);
  if (State.isCorked(stream.state)) {
    stream.state = State.corked(stream.state, false);
    stream.flush(true);
  }
  if (stream.hasQueued) {
    await whenSent(
      () => stream.hasQueued,
      (left) => isNext(stream, left),
      { signal, timeoutMs },
    );
  }
  checkConnected(stream);
  const take = (fd: number) => detachFd(fd, kind, { ...detailsOf(stream), ...copied });
  return handOut(stream, take, () => {
    stream.state = State.detached(stream.state);
    end();
  });
}

function checkConnected(stream: StreamFace): void {
  if (stream.closed) throw stream.whyClosed();
  if (!stream.isOpen || stream.cold?.handshake?.isDone === false) throw stateError('it is connecting');
}

/** All that is queued before is out. */
function isNext(stream: StreamFace, options: CancelOptions): Promise<number> {
  return queueWrite(stream, true, 0, options, (operation) => pushSource(stream, () => 0, 0, operation));
}

function detailsOf({ state, profile }: StreamFace): HandleDetails {
  return {
    ...(State.refusesWrites(state) ? { writeEnded: true } : {}),
    ...(profile.traits.messages ? { seqpacket: true } : {}),
  };
}

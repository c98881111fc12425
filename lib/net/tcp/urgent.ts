import { native } from '../../binding/native.js';
import { checkInteger } from '../../binding/validate.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import { sendNow } from '../socket/stream-calls.js';
import type { AnyStream } from '../stream/transfer.js';
import type { WriteSource } from '../stream/write-queue.js';

const { MSG_OOB } = native.constants;

/** @throws TypeError, RangeError */
export function urgentSource(byte: number): WriteSource {
  checkInteger('byte', byte, 0, 255);
  const bytes = Uint8Array.of(byte);
  return (fd) => sendNow(fd, bytes, 0, 1, MSG_OOB);
}

export async function sendUrgent(stream: AnyStream, byte: number, options?: CancelOptions): Promise<void> {
  await stream.writeWith(urgentSource(byte), 1, options);
}

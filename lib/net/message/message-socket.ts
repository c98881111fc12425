import { EAGAIN, EINTR, ENOBUFS } from '../../binding/errnos.js';
import { capabilities } from '../../binding/capabilities.js';
import { outOfRange } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { needUnixMessages } from '../../binding/need-unix-messages.js';
import { checkBytes } from '../../binding/validate.js';
import { Interest } from '../../poller/flags.js';
import { checkCall, type CancelOptions } from '../../reactor/cancellation.js';
import { NO_ADDRESS, socketAddressBytes } from '../../sys/sockaddr.js';
import type { AsyncFd } from '../fd/async-fd.js';
import { messageReceiver } from './message-receiver.js';
import { NO_FDS, type PassedFds } from './passed-fds.js';
import { whenSent } from '../socket/detached.js';
import { SendQueue } from './send-queue.js';
import { FdOwner } from '../fd/fd-owner.js';
import { check, checkOpen } from '../fd/open-fd.js';

const NO_FD_WORDS = new Uint8Array(0);

/** One message, as `receive` gives it. */
export interface ReceivedMessage<Address> {
  /** How many of its bytes are in the buffer. */
  readonly lengthBytes: number;
  /** The sender; undefined where the system tells none. */
  readonly address: Address | undefined;
  /** It was longer than the buffer: its rest is lost. */
  readonly truncated: boolean;
}

/**
 * A socket of messages of any address family. Sends that find no room wait, those to one
 * destination in order.
 *
 * `Address` is how addresses are told, `Destination` how they may be given.
 */
export abstract class MessageSocket<
  Address,
  Destination = Address,
  Message extends ReceivedMessage<Address> = ReceivedMessage<Address>,
> extends FdOwner {
  #sends: SendQueue | null = null;

  protected constructor(io: AsyncFd) {
    super(io);
    if (capabilities.unixMessages) return;
    this.close();
    needUnixMessages('sockets of messages');
  }

  protected override onClosed(reason: Error): void {
    this.#sends?.close(reason);
    super.onClosed(reason);
  }

  protected abstract encode(address: Destination): Uint8Array;
  protected abstract decode(bytes: Uint8Array): Address | undefined;
  /** What a kind of socket tells besides; `name` is overwritten by the next message. */
  protected describe(received: ReceivedMessage<Address>, _name: Uint8Array): Message {
    return received as Message;
  }

  /** Its own address; undefined once closed. */
  get localAddress(): Address | undefined {
    if (this.closed) return undefined;
    const address = socketAddressBytes(this.fd, 'local');
    return address === undefined ? undefined : this.decode(address);
  }

  /**
   * The next message. Several calls may wait at once, and are served in order: whole things queue.
   *
   * @throws (as rejection) TypeError; what recvmsg(2) says, as ECONNREFUSED of an earlier send;
   * ERR_TRIPOLL_CLOSED; ABORT_ERR, ERR_TRIPOLL_TIMEOUT, by which no message is lost
   */
  async receive(buffer: Uint8Array, options: CancelOptions = {}): Promise<Message> {
    return (await this.receiveWith(buffer, 0, options)).message;
  }

  protected async receiveWith(
    buffer: Uint8Array,
    maxFds: number,
    options: CancelOptions,
  ): Promise<{ message: Message; fds: PassedFds }> {
    checkBytes('buffer', buffer);
    let message: Message | null = null;
    let fds = NO_FDS;
    const receive = (fd: number): number => {
      const length = messageReceiver.receive(fd, buffer, maxFds, true);
      // At once: the receiver is the whole thread's.
      if (length >= 0) {
        fds = this.noteFds(messageReceiver.takeFds());
        message = this.#toMessage(length);
      }
      return length;
    };
    await this.io.io(Interest.READABLE, receive, 'recvmsg', options);
    return { message: message as unknown as Message, fds };
  }

  /** fds that came just now. */
  protected noteFds(fds: PassedFds): PassedFds {
    fds.close();
    return fds;
  }

  #toMessage(lengthBytes: number): Message {
    const { name, truncated } = messageReceiver;
    const address = name.length === 0 ? undefined : this.decode(name);
    return this.describe({ lengthBytes, address, truncated }, name);
  }

  /**
   * A message that is there already, or null.
   *
   * @throws TypeError; the system's error; ERR_TRIPOLL_CLOSED
   */
  tryReceive(buffer: Uint8Array): Message | null {
    checkBytes('buffer', buffer);
    checkOpen(this.io, 'Socket');
    const length = messageReceiver.receive(this.fd, buffer, 0, true);
    if (length === EAGAIN) return null;
    check(length, 'recvmsg');
    this.reactor.registry.chargeBytes(length);
    return this.#toMessage(length);
  }

  /**
   * Sends one message. Messages to one destination arrive in the order of the calls.
   *
   * @param address whom to; without it, to whom the socket is connected
   * @returns how many bytes: all of them
   * @throws (as rejection) TypeError, RangeError; ECONNREFUSED, EMSGSIZE, ENOTCONN and what else
   * sendmsg(2) says; ENOBUFS, by which a BSD says that there is no room, when ten seconds of tries
   * have brought nothing else; ERR_TRIPOLL_CLOSED; ERR_TRIPOLL_BUSY when 1024 wait; ABORT_ERR,
   * ERR_TRIPOLL_TIMEOUT, by which nothing was sent
   */
  async send(buffer: Uint8Array, address?: Destination, options: CancelOptions = {}): Promise<number> {
    const name = address === undefined ? NO_ADDRESS : this.encode(address);
    return this.sendWith(buffer, name, NO_FD_WORDS, options);
  }

  protected async sendWith(
    buffer: Uint8Array,
    name: Uint8Array,
    fdWords: Uint8Array,
    options: CancelOptions,
  ): Promise<number> {
    checkBytes('buffer', buffer);
    checkCall(options);
    checkOpen(this.io, 'Socket');
    const { length } = buffer;
    const call = (fd: number): number => {
      // A detached one has no bytes: an empty message would go out in its place.
      if (buffer.length !== length) throw outOfRange('buffer', 'left alone while its send waits', buffer);
      return native.sendMessage(fd, buffer, 0, length, fdWords, name);
    };
    const destination = Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
    let isPolled = !this.tellsRoom(name);
    // At once, whatever is known: it needs no event, and is the rule; but not before those that
    // wait. Who never has to wait shares the budget of a turn (T48).
    if (this.#sends?.isAwaited(destination) !== true && this.reactor.registry.consumeBudget()) {
      const sent = call(this.fd);
      if (sent >= 0) {
        this.reactor.registry.chargeBytes(sent);
        return sent;
      }
      if (sent !== EAGAIN && sent !== EINTR && sent !== ENOBUFS) check(sent, 'sendmsg');
      // The socket stays writable (T62).
      if (sent === ENOBUFS) isPolled = true;
      // A full receiver says nothing of the socket, of which no edge would come.
      if (sent === EAGAIN && !isPolled) this.io.clearReady(Interest.WRITABLE);
    }
    return (this.#sends ??= new SendQueue(this.io)).wait(call, destination, isPolled, options);
  }

  /** Waits until no send waits any more; not at all when none does. */
  protected whenSent(options: CancelOptions): Promise<void> | null {
    const sends = this.#sends;
    if (sends === null || sends.isEmpty) return null;
    return whenSent(
      () => !sends.isEmpty,
      (left) => sends.whenEmpty(left),
      options,
    );
  }

  /** Whether WRITABLE tells that a destination has room again. */
  protected tellsRoom(_name: Uint8Array): boolean {
    return true;
  }
}

import type { BlockList } from 'node:net';
import { isTripollError } from '../../binding/is-tripoll-error.js';
import { closedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { Timer } from '../../reactor/timer.js';
import { claimBy, detachFd, type SocketHandle } from '../../net/socket/detached.js';
import { applyOptions, type EncodedOption } from '../../net/socket/encoded-option.js';
import { encodeOptions } from '../../net/socket/socket-options.js';
import { Acceptor, type AcceptorHost } from './acceptor.js';
import { receiveBlockList } from './block-list.js';
import { createOpener, type Opener, type Served } from './openers.js';
import type { ListenerHandle, MovingConnection, Report, ServicePlan } from './messages.js';
import { Counter, ServerMemory, Shared, type GivenSocket } from './server-memory.js';

/**
 * Longer than a worker that is not busy needs to begin with what it was given: who accepted then
 * begins with it itself.
 */
const STEAL_AFTER_MS = 5;

const { IPPROTO_TCP, TCP_NODELAY } = native.constants;
/** An option's value, an int. */
const flag = new Uint8Array(4);

/** What a service needs of its thread. */
export interface ServiceHost {
  readonly worker: number;
  readonly place: number;
  readonly reactor: Reactor;
  say(report: Report): void;
  wakePlace(place: number): void;
  /** It has nothing to do any more. */
  onServiceEnded(server: number): void;
}

/** One server, on one worker: what it accepts, and the connections that it has. */
export class WorkerService implements AcceptorHost {
  readonly #host: ServiceHost;
  readonly #plan: ServicePlan;
  readonly #memory: ServerMemory;
  readonly #opener: Opener;
  /** By worker whose socket it is. */
  readonly #acceptors = new Map<number, Acceptor>();
  readonly #acceptedOptions: readonly EncodedOption[];
  readonly #blockList: BlockList | null;
  /** Null: not known yet whether connections have TCP_NODELAY from their listener. */
  #inheritsNoDelay: boolean | null = null;
  #began = false;
  #stopping = false;
  #ended = false;
  /** Connections that have ended since it stopped, and how many of them it had to close. */
  #endedSinceStop = 0;
  #closed = 0;
  #stealTimer: Timer | null = null;

  /** @throws ERR_TRIPOLL_NO_SUCH_TASK; what a handle or an option is wrong in */
  constructor(host: ServiceHost, plan: ServicePlan, target: unknown, listener: ListenerHandle) {
    this.#host = host;
    this.#plan = plan;
    this.#memory = new ServerMemory(plan.memory, plan.places, plan.kind);
    this.#opener = createOpener(host.reactor, plan, target, {
      worker: host.worker,
      isStopping: () => this.#stopping,
      connectionClosed: () => this.#connectionClosed(),
      failed: (error) => this.#failed(error),
    });
    const { acceptedSocketOptions, blockList } = plan;
    this.#blockList = blockList === undefined ? null : receiveBlockList(blockList);
    this.#acceptedOptions = acceptedSocketOptions === undefined ? [] : encodeOptions(acceptedSocketOptions);
    this.#listen(host.worker, listener);
  }

  /** Accepts from the socket of that worker too, for a while. */
  listen(worker: number, listener: ListenerHandle): void {
    if (this.#stopping) return;
    try {
      this.#listen(worker, listener);
    } catch (error) {
      // That accepts itself by now.
      if (!isTripollError(error) || error.code !== 'ERR_TRIPOLL_CLOSED') throw error;
    }
  }

  #listen(worker: number, listener: ListenerHandle): void {
    const acceptor = claimBy(listener, (fd) => new Acceptor(this.#host.reactor, fd, this.#plan, this));
    this.#acceptors.set(worker, acceptor);
    if (this.#began) acceptor.start();
  }

  unlisten(worker: number): void {
    this.#acceptors.get(worker)?.close();
    this.#acceptors.delete(worker);
  }

  /** Its thread takes tasks, and so does it connections. */
  begin(): void {
    if (this.#began || this.#stopping) return;
    this.#began = true;
    for (const acceptor of this.#acceptors.values()) acceptor.start();
    this.#memory.setActive(this.#host.place, true);
  }

  // ---- accepting ----

  onWake(): void {
    this.#memory.count(this.#host.place, Counter.WAKES);
  }

  onNoRoom(): void {
    this.#memory.count(this.#host.place, Counter.DROPPED);
  }

  onAccepted(fd: number): void {
    const { place } = this.#host;
    this.#memory.count(place, Counter.ACCEPTED);
    // Before they are counted: who counts at the same time counts this one too.
    this.#memory.add(place, Shared.OPEN, 1);
    if (!this.#isWanted(fd)) {
      this.#memory.add(place, Shared.OPEN, -1);
      this.#memory.count(place, Counter.DROPPED);
      native.close(fd);
      return;
    }
    if (this.#plan.strategy === 'balanced' && !this.#stopping && this.#handOver(fd)) return;
    this.#opener.open(fd, undefined);
  }

  #isWanted(fd: number): boolean {
    const { maxConnections, kind } = this.#plan;
    if (maxConnections !== Infinity && this.#memory.total() > maxConnections) return false;
    if (this.#blockList !== null && this.#opener.isBlocked(fd, this.#blockList)) return false;
    if (kind === 'tcp') this.#setNoDelay(fd);
    try {
      applyOptions(fd, this.#acceptedOptions);
      return true;
    } catch {
      return false;
    }
  }

  #setNoDelay(fd: number): void {
    if (!this.#plan.noDelay || this.#inheritsNoDelay === true) return;
    this.#inheritsNoDelay ??=
      native.getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, flag) > 0 && flag.some((byte) => byte !== 0);
    // It may have been reset already; then the first read tells.
    if (!this.#inheritsNoDelay) native.setsockoptInt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  }

  // ---- given from one worker to another ----

  /** To a worker with fewer connections, if there is one. It is counted here still. */
  #handOver(fd: number): boolean {
    const { place } = this.#host;
    const memory = this.#memory;
    memory.add(place, Shared.OPEN, -1);
    const target = memory.leastLoaded(place);
    if (target === place) {
      memory.add(place, Shared.OPEN, 1);
      return false;
    }
    const handle = detachFd(fd, this.#plan.kind, {});
    // As what is stolen: before anybody has it.
    memory.count(place, Counter.HANDED_OVER);
    if (!memory.give(place, target, handle)) {
      memory.count(place, Counter.HANDED_OVER, -1);
      memory.add(place, Shared.OPEN, 1);
      claimBy(handle, (own) => this.#opener.open(own, undefined));
      return true;
    }
    this.#host.wakePlace(target);
    this.#stealLater();
    return true;
  }

  /** What it was given. */
  takeGiven(): void {
    if (this.#began) this.#memory.eachGiven(this.#host.place, (given) => this.#take(given, false));
    this.#endIfDone();
  }

  #take(given: GivenSocket, isStolen: boolean): void {
    const { place } = this.#host;
    try {
      // Claimed and counted before the slot is free: who ends in between takes it along.
      claimBy(given.handle, (fd) => {
        this.#memory.add(place, Shared.OPEN, 1);
        this.#memory.taken(given);
        // Before its peer hears from it, who may ask at once.
        if (isStolen) this.#memory.count(place, Counter.STOLEN);
        this.#opener.open(fd, undefined);
      });
    } catch {
      // Another was faster, or the thread that had accepted it has ended.
      this.#memory.taken(given);
    }
  }

  /** Those that were not begun with in time are this worker's, which has nothing to do now. */
  #stealLater(): void {
    this.#stealTimer ??= this.#host.reactor
      .setTimer(STEAL_AFTER_MS, () => {
        this.#stealTimer = null;
        this.#steal();
        if (this.#memory.hasGiven()) this.#stealLater();
      })
      .unref();
  }

  #steal(): void {
    const { place } = this.#host;
    this.#memory.eachWaiting(place, STEAL_AFTER_MS, (given) => this.#take(given, true));
  }

  // ---- live connections that move ----

  /** Gives one to each of these places, as far as the application allows. */
  rebalance(targets: readonly number[]): void {
    const left = [...targets];
    const asked = this.#opener.openConnections().filter((each) => each.mayMove);
    const moves: Promise<void>[] = [];
    for (const connection of asked) {
      const target = left[0];
      if (target === undefined) break;
      const state = connection.askMove();
      if (state === false) continue;
      left.shift();
      moves.push(this.#moveTo(target, connection, state));
    }
    // Their handlers are told of the end before it is counted: after that.
    const answer = (): void => this.#say({ kind: 'rebalanced', server: this.#plan.server });
    void Promise.all(moves).then(() => this.#host.reactor.registry.defer(answer));
  }

  async #moveTo(target: number, connection: Served, state: unknown): Promise<void> {
    const { server } = this.#plan;
    let handle: SocketHandle;
    try {
      handle = await connection.detach();
    } catch {
      // It has ended meanwhile, by itself.
      return;
    }
    this.#memory.count(this.#host.place, Counter.MOVED_OUT);
    const moving: MovingConnection = { handle, state };
    try {
      this.#say({ kind: 'moving', server, target, moving });
    } catch (error) {
      // What the application sends along cannot be cloned: the connection stays, without it.
      native.fatalException(error);
      this.#open(handle, undefined, false);
    }
  }

  /** A connection that another worker had. */
  move(id: number, { handle, state }: MovingConnection): void {
    const opened = this.#open(handle, state, true);
    this.#say({ kind: 'moved', server: this.#plan.server, id, opened });
  }

  #open(handle: SocketHandle, state: unknown, isMove: boolean): boolean {
    const { place } = this.#host;
    try {
      claimBy(handle, (fd) => {
        this.#memory.add(place, Shared.OPEN, 1);
        if (isMove) this.#memory.count(place, Counter.MOVED_IN);
        this.#opener.open(fd, state);
      });
      return true;
    } catch {
      return false;
    }
  }

  // ---- the end ----

  /** Another thread works in this one's stead, and has the same listening sockets. */
  retire(): void {
    this.#stop(false);
  }

  /** Accepts what waits, and then no more. */
  stop(): void {
    this.#stop(true);
    this.#say({ kind: 'stopped', server: this.#plan.server });
  }

  #stop(sweeps: boolean): void {
    if (this.#stopping) return;
    this.takeGiven();
    this.#memory.setActive(this.#host.place, false);
    this.#stopping = true;
    for (const acceptor of this.#acceptors.values()) {
      if (sweeps) acceptor.sweep(this.#plan.backlog);
      acceptor.close();
    }
    this.#opener.stopAll();
    this.#endIfDone();
  }

  closeAll(): void {
    this.#stop(false);
    // When all handlers have run, as a listener's shutdown has it.
    this.#host.reactor.registry.defer(() => {
      const rest = this.#opener.openConnections();
      this.#closed += rest.length;
      for (const connection of rest) connection.expire(closedError('Server'));
    });
  }

  #connectionClosed(): void {
    this.#memory.add(this.#host.place, Shared.OPEN, -1);
    if (this.#stopping) this.#endedSinceStop++;
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (!this.#stopping || this.#ended) return;
    const { place } = this.#host;
    if (this.#memory.get(place, Shared.OPEN) > 0 || this.#memory.hasGiven(place)) return;
    this.#ended = true;
    this.#stealTimer?.cancel();
    const { server } = this.#plan;
    const finished = this.#endedSinceStop - this.#closed;
    this.#say({ kind: 'ended', server, finished, closed: this.#closed });
    this.#host.onServiceEnded(server);
  }

  #failed(error: unknown): void {
    if (!isTripollError(error) || MISTAKES.has(error.code)) native.fatalException(error);
  }

  #say(report: Report): void {
    this.#host.say(report);
  }
}

/** Not the end of a connection, but mistakes of the program, which must not be hidden. */
const MISTAKES: ReadonlySet<string> = new Set([
  'ERR_TRIPOLL_BUSY',
  'ERR_TRIPOLL_INVALID_ARG_TYPE',
  'ERR_TRIPOLL_NO_SUCH_TASK',
  'ERR_TRIPOLL_NOT_CLONEABLE',
  'ERR_TRIPOLL_OUT_OF_RANGE',
  'ERR_TRIPOLL_STATE',
  'ERR_TRIPOLL_UNSUPPORTED',
]);

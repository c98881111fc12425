import { closedError } from '../../binding/errors.js';
import { checkNames } from '../../binding/validate.js';
import {
  abortedBefore,
  checkCancelTypes,
  watchCancel,
  type CancelOptions,
} from '../../reactor/cancellation.js';
import type { Reactor } from '../../reactor/reactor.js';
import { closeDetached } from '../../net/socket/detached.js';
import type { ShutdownResult } from '../../net/stream/listener-shutdown.js';
import type { SocketAddress } from '../../sys/address.js';
import { workerDied } from '../errors.js';
import type { Place } from '../place.js';
import { rebuildThrown, type Thrown } from '../remote-error.js';
import type { Listeners } from './listeners.js';
import type { ListenerHandle, Order, Report, ServicePlan } from './messages.js';
import { Moves } from './moves.js';
import type { ServerInspection, ServerWorkerInspection } from './inspection.js';
import { Counter, ServerMemory, Shared } from './server-memory.js';

/** A worker that is as busy as that when the rest is closed is not waited for. */
const CLOSE_GRACE_MS = 1000;

/** What a server needs of the runtime's workers. */
export interface ServerHost {
  readonly reactor: Reactor;
  /** By worker: the thread that works. */
  readonly current: readonly Place[];
  order(place: Place, order: Order): void;
  wakeWorker(place: number): void;
  /** Something is waited for; `release` when it is over. */
  hold(): void;
  release(): void;
  onServerEnded(control: ServerControl): void;
}

/** A server, on one thread. */
interface PlacedService {
  readonly place: Place;
  /** By worker: duplicates that were sent to it, of its own socket and of those that it adopted. */
  readonly listeners: Map<number, ListenerHandle>;
  opened: boolean;
  stopped: boolean;
  readonly settle: (error: Error | null) => void;
}

/** One server, from the side of the thread that made the runtime. */
export class ServerControl {
  readonly listeners: Listeners;
  readonly #host: ServerHost;
  readonly #plan: ServicePlan;
  readonly #memory: ServerMemory;
  readonly #moves: Moves;
  readonly #services = new Map<number, PlacedService>();
  /** By worker: the place that accepts from its socket until it can itself; -1: nobody does yet. */
  readonly #orphans = new Map<number, number>();
  /** Who waits until it listens on all workers. */
  #started: ((error: Error | null) => void) | null = null;
  stopping = false;
  #listens = true;
  #isClosing = false;
  #ended: ShutdownResult | null = null;
  #onEnd: ((result: ShutdownResult) => void)[] = [];
  #openAtStop = 0;
  /** Of those that were open, or waited in the backlog, when it stopped. */
  #finished = 0;
  #closed = 0;
  #lost = 0;

  constructor(host: ServerHost, plan: ServicePlan, listeners: Listeners) {
    this.#host = host;
    this.#plan = plan;
    this.listeners = listeners;
    this.#memory = new ServerMemory(plan.memory, plan.places, plan.kind);
    this.#moves = new Moves({
      send: (place, order) => host.order(this.#services.get(place)!.place, order),
      targets: () => this.#accepting().map(({ place }) => place.place),
      openOf: (place) => this.#memory.get(place, Shared.OPEN),
      server: plan.server,
    });
  }

  get id(): number {
    return this.#plan.server;
  }

  get strategy(): ServicePlan['strategy'] {
    return this.#plan.strategy;
  }

  get address(): SocketAddress | string {
    return this.listeners.address;
  }

  // ---- the beginning ----

  /** Settles when all workers listen that there are. */
  start(): Promise<void> {
    for (const place of this.#host.current) {
      if (place.ready) this.onBegun(place);
      else if (place.isGivenUp) this.#orphaned(place.worker);
    }
    return new Promise((resolve, reject) => {
      this.#started = (error) => {
        this.#started = null;
        if (error === null) resolve();
        else reject(error);
      };
      this.#checkStarted();
    });
  }

  #checkStarted(): void {
    const waited = this.#host.current.filter(({ isGivenUp }) => !isGivenUp);
    // Without any the runtime fails, and this server with it.
    if (waited.length > 0 && waited.every(({ place }) => this.#services.get(place)?.opened === true))
      this.#started?.(null);
  }

  /** A worker takes tasks now, and has not been told of this server, unless by a reload. */
  onBegun(place: Place): void {
    if (this.#services.has(place.place)) {
      this.#giveBack(place.worker);
      return;
    }
    this.prepare(place).then(
      () => {
        this.#checkStarted();
        this.#adopt();
      },
      (error: unknown) => {
        this.#started?.(error as Error);
        this.#orphaned(place.worker);
      },
    );
  }

  /**
   * It accepts as soon as it takes tasks.
   *
   * @throws (as rejection) what it said; ERR_TRIPOLL_WORKER_DIED
   */
  prepare(place: Place): Promise<void> {
    if (this.stopping) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null): void => {
        if (error === null) resolve();
        else reject(error);
      };
      // What this throws is a rejection.
      const listener = this.listeners.duplicate(place.worker);
      const listeners = new Map([[place.worker, listener]]);
      this.#services.set(place.place, { place, listeners, opened: false, stopped: false, settle });
      try {
        this.#host.order(place, { kind: 'open', plan: this.#plan, listener });
      } catch (error) {
        this.#forget(place.place);
        reject(error);
      }
    });
  }

  #onOpened(service: PlacedService, thrown: Thrown | null): void {
    if (thrown === null) {
      service.opened = true;
      // A successor accepts when it is promoted.
      if (service.place.role === 'working') this.#giveBack(service.place.worker);
    } else this.#forget(service.place.place);
    service.settle(thrown === null ? null : (rebuildThrown(thrown) as Error));
  }

  #forget(place: number): void {
    for (const listener of this.#services.get(place)?.listeners.values() ?? []) closeDetached(listener);
    this.#services.delete(place);
  }

  #accepting(): PlacedService[] {
    return [...this.#services.values()].filter(({ place }) => this.#isAccepting(place.place));
  }

  #isAccepting(place: number): boolean {
    const service = this.#services.get(place);
    return service?.opened === true && service.place.role === 'working' && this.#memory.isActive(place);
  }

  /** Its socket has nobody who accepts from it, for a while or for good. */
  #orphaned(worker: number): void {
    if (this.#plan.strategy !== 'reuseport') return;
    if (!this.#orphans.has(worker)) this.#orphans.set(worker, -1);
    this.#adopt();
  }

  /** Sockets from which nobody accepts get another worker. */
  #adopt(): void {
    if (this.stopping || this.#orphans.size === 0) return;
    const accepting = this.#accepting();
    if (accepting.length === 0) return;
    for (const [worker, place] of this.#orphans) {
      if (this.#services.get(place)?.listeners.has(worker) === true) continue;
      const adopter = accepting[worker % accepting.length]!;
      let listener: ListenerHandle;
      try {
        listener = this.listeners.duplicate(worker);
      } catch {
        // No fd is left: its successor accepts, or the next that begins.
        return;
      }
      adopter.listeners.set(worker, listener);
      this.#orphans.set(worker, adopter.place.place);
      this.#host.order(adopter.place, { kind: 'listen', server: this.id, worker, listener });
    }
  }

  /** The worker accepts from its socket itself. */
  #giveBack(worker: number): void {
    const adopter = this.#services.get(this.#orphans.get(worker) ?? -1);
    this.#orphans.delete(worker);
    const listener = adopter?.listeners.get(worker);
    if (adopter === undefined || listener === undefined) return;
    adopter.listeners.delete(worker);
    // It may not have been claimed yet, and never be.
    closeDetached(listener);
    this.#host.order(adopter.place, { kind: 'unlisten', server: this.id, worker });
  }

  // ---- what the workers say ----

  onReport(place: Place, report: Report): void {
    const service = this.#services.get(place.place);
    if (report.kind === 'moving') {
      this.#moves.onMoving(report.target, report.moving, place.place);
      return;
    }
    if (report.kind === 'moved') this.#moves.onMoved(report.id, report.opened);
    else if (report.kind === 'rebalanced') this.#moves.onAnswer(place.place);
    if (service === undefined) return;
    if (report.kind === 'opened') this.#onOpened(service, report.thrown);
    else if (report.kind === 'stopped') service.stopped = true;
    else if (report.kind === 'ended') {
      this.#services.delete(place.place);
      if (this.stopping) this.#finished += report.finished;
      this.#closed += report.closed;
    }
    this.#checkEnd();
  }

  /** The thread of a place has ended. */
  onExit(place: Place): void {
    const service = this.#services.get(place.place);
    const { open, told } = this.#memory.salvage(place.place);
    for (const each of told) this.#host.wakeWorker(each);
    this.#lost += open;
    if (this.stopping) this.#closed += open;
    this.#forget(place.place);
    if (this.#host.current[place.worker] === place) this.#orphaned(place.worker);
    if (service === undefined) return;
    this.#moves.onExit(place.place);
    service.settle(workerDied(place.worker, 1));
    this.#checkEnd();
  }

  onGivenUp(): void {
    this.#checkStarted();
  }

  // ---- the end ----

  async shutdown(options: CancelOptions): Promise<ShutdownResult> {
    checkNames('options', options, { signal: true, timeoutMs: true });
    checkCancelTypes(options);
    this.#stop();
    if (this.#ended !== null) return this.#ended;
    const aborted = abortedBefore(options) !== null;
    const disarm = aborted ? null : watchCancel(options, this.#host.reactor, () => this.#closeRest());
    if (aborted) this.#closeRest();
    const result = await new Promise<ShutdownResult>((resolve) => {
      if (this.#ended === null) this.#onEnd.push(resolve);
      else resolve(this.#ended);
    });
    disarm?.();
    return result;
  }

  #stop(): void {
    if (this.stopping) return;
    this.stopping = true;
    // The listening sockets keep the process alive no more: its connections do.
    this.#host.hold();
    this.#openAtStop = this.#memory.total();
    this.#started?.(closedError('Server'));
    for (const { place } of this.#services.values())
      this.#host.order(place, { kind: 'stop', server: this.id });
    this.#checkEnd();
  }

  #closeRest(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    for (const { place } of this.#services.values())
      this.#host.order(place, { kind: 'close', server: this.id });
    this.#closeListeners();
    const timer = this.#host.reactor.setTimer(CLOSE_GRACE_MS, () => this.abort()).unref();
    this.#onEnd.push(() => timer.cancel());
  }

  #closeListeners(): void {
    this.#listens = false;
    this.listeners.close();
  }

  #checkEnd(): void {
    if (!this.stopping) return;
    const services = [...this.#services.values()];
    // Each has accepted what waited: now nobody waits any more.
    if (this.#listens && services.every(({ stopped }) => stopped)) this.#closeListeners();
    if (services.length === 0 && this.#moves.underWay === 0) this.#end();
  }

  /** The runtime ends, or workers do not answer: nothing is waited for. */
  abort(): void {
    if (!this.stopping) this.#host.hold();
    this.stopping = true;
    if (this.#ended !== null) return;
    this.#closed += this.#memory.total();
    for (const { place, settle } of [...this.#services.values()]) {
      this.#forget(place.place);
      settle(closedError('Server'));
    }
    this.#started?.(closedError('Server'));
    this.#end();
  }

  #end(): void {
    if (this.#ended !== null) return;
    // Some have ended before their worker has heard that it is the end.
    const finished = Math.max(this.#finished, this.#openAtStop - this.#closed);
    this.#ended = { finished, closed: this.#closed };
    this.#closeListeners();
    this.#moves.close();
    this.#memory.discardGiven();
    this.#host.onServerEnded(this);
    this.#host.release();
    for (const tell of this.#onEnd.splice(0)) tell(this.#ended);
  }

  // ---- the rest ----

  rebalance(): Promise<number> {
    if (this.stopping) return Promise.reject(closedError('Server'));
    return this.#moves.rebalance();
  }

  inspect(): ServerInspection {
    const workers = this.#host.current.map(({ place, worker }): ServerWorkerInspection => {
      const counted = (counter: number): number => this.#memory.counted(place, counter);
      return {
        ...{ worker, listening: this.#isAccepting(place), open: this.#memory.get(place, Shared.OPEN) },
        ...{ accepted: counted(Counter.ACCEPTED), handedOver: counted(Counter.HANDED_OVER) },
        ...{ stolen: counted(Counter.STOLEN), wakes: counted(Counter.WAKES) },
        ...{ dropped: counted(Counter.DROPPED) },
        ...{ movedIn: counted(Counter.MOVED_IN), movedOut: counted(Counter.MOVED_OUT) },
      };
    });
    const open = this.#memory.total();
    const retiring = open - workers.reduce((sum, each) => sum + each.open, 0);
    const { stopping: closed, strategy } = this;
    return { closed, strategy, open, retiring, lost: this.#lost, workers };
  }
}

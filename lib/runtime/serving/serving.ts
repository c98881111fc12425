import type { CancelOptions } from '../../reactor/cancellation.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { ShutdownResult } from '../../net/stream/listener-shutdown.js';
import { DEFAULT_BACKLOG } from '../../net/stream/stream-listener.js';
import { notCloneable } from '../errors.js';
import type { ToWorker } from '../messages.js';
import type { Place } from '../place.js';
import { postBlockList } from './block-list.js';
import { Listeners } from './listeners.js';
import type { Order, Report, ServicePlan } from './messages.js';
import { checkServe, chooseStrategy, isUnixTarget, supportsExclusive, type ServeTarget } from './options.js';
import { Server } from './server.js';
import { ServerControl, type ServerHost } from './server-control.js';
import { ServerMemory } from './server-memory.js';

/** What the servers need of the pool. */
export interface ServingHost {
  readonly reactor: Reactor;
  readonly workers: number;
  readonly current: readonly Place[];
  readonly failure: Error | null;
  /** Whether workers are under `run()`. */
  readonly runs: boolean;
  post(place: Place, message: ToWorker): void;
  wakeWorker(place: number): void;
  hold(): void;
  release(): void;
}

/** The servers of a runtime, from the side of the thread that made it. */
export class Serving implements ServerHost {
  readonly #host: ServingHost;
  readonly #servers = new Map<number, ServerControl>();
  #nextId = 1;

  constructor(host: ServingHost) {
    this.#host = host;
  }

  get reactor(): Reactor {
    return this.#host.reactor;
  }

  get current(): readonly Place[] {
    return this.#host.current;
  }

  async serve(target: ServeTarget, name: string): Promise<Server> {
    checkServe(target);
    const { workers, reactor, runs } = this.#host;
    const strategy = chooseStrategy(target, reactor, runs);
    const plan = this.#planOf(target, name, strategy);
    const listeners = await Listeners.open(target, strategy === 'reuseport' ? workers : 1);
    const { failure } = this.#host;
    if (failure !== null) {
      listeners.close();
      throw failure;
    }
    const control = new ServerControl(this, plan, listeners);
    this.#servers.set(control.id, control);
    try {
      await control.start();
    } catch (error) {
      control.abort();
      throw this.#host.failure ?? error;
    }
    return new Server(control);
  }

  #planOf(target: ServeTarget, name: string, strategy: ServicePlan['strategy']): ServicePlan {
    const places = 2 * this.#host.workers;
    const { allowHalfOpen, highWaterMarkBytes, lowWaterMarkBytes, maxQueuedBytes, idleTimeoutMs } = target;
    const { backlog = DEFAULT_BACKLOG, maxConnections = Infinity, acceptedSocketOptions } = target;
    const isUnix = isUnixTarget(target);
    return {
      ...{ server: this.#nextId++, name, kind: isUnix ? 'unix' : 'tcp', strategy, backlog },
      ...{ maxConnections, acceptedSocketOptions, places, memory: ServerMemory.create(places) },
      noDelay: !isUnix && (target.noDelay ?? true),
      blockList: isUnix || target.blockList === undefined ? undefined : postBlockList(target.blockList),
      // Else others than who accepts sleep in the pollers: libuv's own, which wakes each of them (T16),
      // or a watcher's thread, which takes the only wake though its worker is busy.
      exclusive: this.#host.runs && strategy !== 'reuseport' && supportsExclusive(this.#host.reactor),
      connection: { allowHalfOpen, highWaterMarkBytes, lowWaterMarkBytes, maxQueuedBytes, idleTimeoutMs },
    };
  }

  // ---- for a server ----

  order(place: Place, order: Order): void {
    try {
      this.#host.post(place, { kind: 'serving', order });
    } catch (error) {
      throw notCloneable('an option', 'serve', error);
    }
  }

  wakeWorker(place: number): void {
    this.#host.wakeWorker(place);
  }

  hold(): void {
    this.#host.hold();
  }

  release(): void {
    this.#host.release();
  }

  onServerEnded(control: ServerControl): void {
    this.#servers.delete(control.id);
  }

  // ---- what becomes of the workers ----

  onMessage(place: Place, report: Report): void {
    this.#servers.get(report.server)?.onReport(place, report);
  }

  onBegun(place: Place): void {
    for (const server of this.#servers.values()) server.onBegun(place);
  }

  /** Before it takes tasks: all servers are ready on it. @throws (as rejection) as `ServerControl.prepare` */
  async prepare(place: Place): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.prepare(place)));
  }

  onExit(place: Place): void {
    for (const server of [...this.#servers.values()]) server.onExit(place);
  }

  onGivenUp(): void {
    for (const server of this.#servers.values()) server.onGivenUp();
  }

  /** All servers stop, as `Server.shutdown`. */
  async shutdown(options: CancelOptions): Promise<ShutdownResult> {
    const each = await Promise.all([...this.#servers.values()].map((server) => server.shutdown(options)));
    const sum = (of: (result: ShutdownResult) => number): number =>
      each.reduce((total, result) => total + of(result), 0);
    return { finished: sum(({ finished }) => finished), closed: sum(({ closed }) => closed) };
  }

  /** All threads end now. */
  close(): void {
    for (const server of [...this.#servers.values()]) server.abort();
  }
}

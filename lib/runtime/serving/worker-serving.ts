import { noSuchTask } from '../errors.js';
import type { Entry } from '../load-tasks.js';
import { describeThrown } from '../remote-error.js';
import type { ListenerHandle, Order, ServicePlan } from './messages.js';
import { WorkerService, type ServiceHost } from './worker-service.js';

/** What the servers of a worker need of its thread. */
export interface WorkerServingHost extends Omit<ServiceHost, 'onServiceEnded'> {
  readonly entry: Entry;
  /** One turn more. */
  again(): void;
}

/** All servers, from the side of a worker's thread. */
export class WorkerServing {
  readonly #host: WorkerServingHost;
  readonly #services = new Map<number, WorkerService>();
  #began = false;
  #retired = false;

  constructor(host: WorkerServingHost) {
    this.#host = host;
  }

  onOrder(order: Order): void {
    if (order.kind === 'open') {
      this.#open(order.plan, order.listener);
      return;
    }
    const { server } = order;
    const service = this.#services.get(server);
    if (service === undefined) {
      // It has ended already: whoever ordered that waits for an answer.
      if (order.kind === 'stop') this.#host.say({ kind: 'stopped', server });
      else if (order.kind === 'rebalance') this.#host.say({ kind: 'rebalanced', server });
      else if (order.kind === 'move') this.#host.say({ kind: 'moved', server, id: order.id, opened: false });
    } else if (order.kind === 'listen') service.listen(order.worker, order.listener);
    else if (order.kind === 'unlisten') service.unlisten(order.worker);
    else if (order.kind === 'stop') service.stop();
    else if (order.kind === 'close') service.closeAll();
    else if (order.kind === 'rebalance') service.rebalance(order.targets);
    else service.move(order.id, order.moving);
  }

  #open(plan: ServicePlan, listener: ListenerHandle): void {
    const { server } = plan;
    try {
      const service = new WorkerService(this.#serviceHost(), plan, this.#targetOf(plan.name), listener);
      this.#services.set(server, service);
      if (this.#began) service.begin();
      this.#host.say({ kind: 'opened', server, thrown: null });
    } catch (error) {
      this.#host.say({ kind: 'opened', server, thrown: describeThrown(error) });
    }
  }

  #targetOf(name: string): unknown {
    const { tasks, objects } = this.#host.entry;
    const target = tasks.get(name) ?? objects.get(name);
    if (target === undefined) throw noSuchTask(name, [...tasks.keys(), ...objects.keys()]);
    return target;
  }

  #serviceHost(): ServiceHost {
    const host = this.#host;
    return {
      ...{ worker: host.worker, place: host.place, reactor: host.reactor },
      say: (report) => host.say(report),
      wakePlace: (place) => host.wakePlace(place),
      onServiceEnded: (server) => {
        this.#services.delete(server);
        if (this.#retired) host.again();
      },
    };
  }

  /** The thread takes tasks now. */
  begin(): void {
    this.#began = true;
    for (const service of this.#services.values()) service.begin();
  }

  /** Another thread works in this one's stead. */
  retire(): void {
    this.#retired = true;
    for (const service of [...this.#services.values()]) service.retire();
  }

  /** Nothing is left that it had begun. */
  get isDone(): boolean {
    return this.#services.size === 0;
  }

  onWake(): void {
    for (const service of [...this.#services.values()]) service.takeGiven();
  }
}

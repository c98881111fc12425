import { discardHandle } from '../../net/moving/attach.js';
import { ownHandle } from '../../net/socket/detached.js';
import type { MovingConnection, Order } from './messages.js';

/** What moves need of their server. */
export interface MovesHost {
  readonly server: number;
  send(place: number, order: Order): void;
  /** Places that accept. */
  targets(): number[];
  openOf(place: number): number;
}

interface Move {
  readonly moving: MovingConnection;
  place: number;
}

/**
 * Live connections on their way from worker to worker. On it they are this thread's: neither
 * worker's death takes them along.
 */
export class Moves {
  readonly #host: MovesHost;
  readonly #underWay = new Map<number, Move>();
  /** Places that have yet to say that they gave all they could. */
  readonly #asked = new Set<number>();
  #nextId = 1;
  #moved = 0;
  #waiting: ((moved: number) => void)[] = [];

  constructor(host: MovesHost) {
    this.#host = host;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** Settles when all have arrived, or stay. */
  rebalance(): Promise<number> {
    if (this.#waiting.length === 0) {
      this.#moved = 0;
      for (const [place, targets] of this.#plan()) {
        this.#asked.add(place);
        this.#host.send(place, { kind: 'rebalance', server: this.#host.server, targets });
      }
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#check();
    });
  }

  /** To whom each is to give one. */
  #plan(): Map<number, number[]> {
    const loads = this.#host.targets().map((place) => ({ place, open: this.#host.openOf(place) }));
    const plan = new Map<number, number[]>();
    const byLoad = (a: { open: number }, b: { open: number }): number => a.open - b.open;
    for (;;) {
      loads.sort(byLoad);
      const [least, most] = [loads[0], loads.at(-1)];
      // Each time round the two come nearer.
      if (least === undefined || most === undefined || most.open - least.open <= 1) return plan;
      most.open--;
      least.open++;
      plan.set(most.place, [...(plan.get(most.place) ?? []), least.place]);
    }
  }

  onMoving(target: number, moving: MovingConnection, from: number): void {
    // Or else its thread has ended, and the socket with it.
    if (!ownHandle(moving.handle)) return;
    const id = this.#nextId++;
    this.#underWay.set(id, { moving, place: target });
    this.#send(id, target, from);
  }

  /** To its target or, where that accepts no more, to another. */
  #send(id: number, target: number, from: number): void {
    const move = this.#underWay.get(id)!;
    const targets = this.#host.targets();
    const place = [target, from].find((each) => targets.includes(each)) ?? targets[0];
    if (place === undefined) {
      this.#underWay.delete(id);
      discardHandle(move.moving.handle);
      return;
    }
    move.place = place;
    this.#host.send(place, { kind: 'move', server: this.#host.server, id, moving: move.moving });
  }

  onMoved(id: number, opened: boolean): void {
    const move = this.#underWay.get(id);
    if (move === undefined) return;
    if (opened) this.#moved++;
    else discardHandle(move.moving.handle);
    this.#underWay.delete(id);
    this.#check();
  }

  onAnswer(place: number): void {
    this.#asked.delete(place);
    this.#check();
  }

  /** A thread has ended: what it had not taken goes to another. */
  onExit(place: number): void {
    this.#asked.delete(place);
    for (const [id, move] of [...this.#underWay]) if (move.place === place) this.#send(id, -1, -1);
    this.#check();
  }

  #check(): void {
    if (this.#asked.size > 0 || this.#underWay.size > 0) return;
    for (const tell of this.#waiting.splice(0)) tell(this.#moved);
  }

  close(): void {
    for (const { moving } of this.#underWay.values()) discardHandle(moving.handle);
    this.#underWay.clear();
    this.#asked.clear();
    this.#check();
  }
}

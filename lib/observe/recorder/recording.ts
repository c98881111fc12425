import { nowMs } from '../../binding/host-clock.js';
import type { Registration } from '../../reactor/registration.js';
import type { Timer } from '../../reactor/timer.js';
import type { TaskProbe } from '../../runtime/probe.js';
import { Listener } from '../probes.js';
import { nameOf } from '../watchdog/origins.js';
import { Kind, type RingWriter } from './ring.js';

const NONE = -1;

/** Writes what one thread does: its reactor, and what it has to do with a runtime's tasks. */
export class Recording extends Listener implements TaskProbe {
  readonly #ring: RingWriter;
  /** By slot: the number of its name, and of its life. */
  readonly #names: number[] = [];
  readonly #lives: number[] = [];
  #life = 0;
  #turnMs = NONE;
  #events = 0;
  #turnEndMs = NONE;
  #settledMs = NONE;
  #startMs = NONE;
  #readiness = 0;
  #lateMs = 0;
  #spawnMs = NONE;
  #taskMs = NONE;
  /** Of the task that is being called. */
  #task: object | null = null;
  #taskId = 0;
  #taskName = 0;
  /** One more than the worker from whose queue the task with that id was taken. */
  #victim = 0;
  #stolenId = 0;
  /** Of tasks whose call has returned, and that have not ended: name and number. */
  readonly #pending = new Map<object, { readonly name: number; readonly life: number }>();
  readonly #workers: number;

  /** @param workers of the runtime, if it is of one: places are told from workers by it */
  constructor(ring: RingWriter, workers = 1) {
    super();
    this.#ring = ring;
    this.#workers = workers;
  }

  override turnStart(nowMs: number, events: number): void {
    if (this.#settledMs !== NONE) this.#ring.write(Kind.WAIT, this.#settledMs, nowMs - this.#settledMs);
    this.#settledMs = NONE;
    this.#turnMs = nowMs;
    this.#events = events;
  }

  override turnEnd(nowMs: number, ran: number): void {
    this.#turnEndMs = nowMs;
    if (this.#turnMs === NONE) return;
    this.#ring.write(Kind.TURN, this.#turnMs, nowMs - this.#turnMs, this.#events, ran);
    this.#turnMs = NONE;
  }

  override turnSettled(nowMs: number): void {
    if (this.#turnEndMs !== NONE) this.#ring.write(Kind.PROMISES, this.#turnEndMs, nowMs - this.#turnEndMs);
    this.#turnEndMs = NONE;
    this.#settledMs = nowMs;
  }

  override handlerStart(nowMs: number, registration: Registration, readiness: number): void {
    this.#startMs = nowMs;
    this.#readiness = readiness;
    this.#ring.begin(Kind.HANDLER, nowMs, this.#nameOf(registration), registration.fd, readiness);
  }

  override handlerEnd(nowMs: number, registration: Registration): void {
    this.#ring.end();
    if (this.#startMs === NONE) return;
    const { fd } = registration;
    const durationMs = nowMs - this.#startMs;
    this.#ring.write(
      Kind.HANDLER,
      this.#startMs,
      durationMs,
      this.#nameOf(registration),
      fd,
      this.#readiness,
    );
    this.#startMs = NONE;
  }

  override timerStart(nowMs: number, timer: Timer, lateMs: number): void {
    this.#startMs = nowMs;
    this.#lateMs = lateMs;
    this.#ring.begin(Kind.TIMER, nowMs, this.#timerName(timer), lateMs);
  }

  override timerEnd(nowMs: number, timer: Timer): void {
    this.#ring.end();
    if (this.#startMs === NONE) return;
    this.#ring.write(Kind.TIMER, this.#startMs, nowMs - this.#startMs, this.#timerName(timer), this.#lateMs);
    this.#startMs = NONE;
  }

  override registered(nowMs: number, registration: Registration): void {
    const { slot, fd } = registration;
    const name = this.#ring.number(nameOf(registration));
    this.#names[slot] = name;
    this.#lives[slot] = ++this.#life;
    this.#ring.write(Kind.OPENED, nowMs, 0, name, fd, this.#life);
  }

  override deregistered(nowMs: number, registration: Registration): void {
    const { slot, fd } = registration;
    const life = this.#lives[slot];
    // Registered before it was recorded.
    if (life !== undefined) this.#ring.write(Kind.CLOSED, nowMs, 0, this.#names[slot] ?? 0, fd, life);
  }

  // ---- tasks ----

  spawnStart(): void {
    this.#spawnMs = nowMs();
  }

  spawnEnd(id: number, name: string): void {
    const startMs = this.#spawnMs;
    this.#ring.write(Kind.SPAWN, startMs, nowMs() - startMs, this.#ring.number(name), id);
  }

  taskStart(task: object, id: number, name: string): void {
    this.#task = task;
    this.#taskId = id;
    this.#taskName = this.#ring.number(name);
    this.#taskMs = nowMs();
    if (id === 0 || id !== this.#stolenId) this.#victim = 0;
    this.#ring.begin(Kind.TASK, this.#taskMs, this.#taskName, id, this.#victim);
  }

  taskReturn(task: object): void {
    this.#ring.end();
    const startMs = this.#taskMs;
    if (startMs === NONE) return;
    this.#taskMs = NONE;
    this.#ring.write(Kind.TASK, startMs, nowMs() - startMs, this.#taskName, this.#taskId, this.#victim);
    if (this.#task !== task) return;
    this.#task = null;
    const life = ++this.#life;
    this.#pending.set(task, { name: this.#taskName, life });
    this.#ring.write(Kind.TASK_BEGUN, startMs, 0, this.#taskName, this.#taskId, life);
  }

  taskEnd(task: object, failed: boolean): void {
    if (this.#task === task) {
      this.#task = null; // within its call
      return;
    }
    const pending = this.#pending.get(task);
    // Begun before it was recorded.
    if (pending === undefined) return;
    this.#pending.delete(task);
    this.#ring.write(Kind.TASK_ENDED, nowMs(), 0, pending.name, Number(failed), pending.life);
  }

  tasksRan(startMs: number, endMs: number, count: number): void {
    if (count === 0) return;
    this.#ring.write(Kind.TASKS, startMs, endMs - startMs, count);
    // A turn of the reactor has it in itself.
    if (this.#turnMs !== NONE) return;
    this.#endWait(startMs);
    this.#turnEndMs = endMs;
  }

  /** What looked like a wait, or like what follows from a turn, was so until now. */
  #endWait(nowMs: number): void {
    if (this.#turnEndMs !== NONE) this.#ring.write(Kind.PROMISES, this.#turnEndMs, nowMs - this.#turnEndMs);
    else if (this.#settledMs !== NONE) this.#ring.write(Kind.WAIT, this.#settledMs, nowMs - this.#settledMs);
    this.#turnEndMs = NONE;
    this.#settledMs = NONE;
  }

  tasksSettled(): void {
    if (this.#turnMs === NONE && this.#turnEndMs !== NONE) this.turnSettled(nowMs());
  }

  stole(place: number, count: number, id: number): void {
    const worker = place % this.#workers;
    this.#stolenId = id;
    this.#victim = worker + 1;
    this.#ring.write(Kind.STEAL, nowMs(), 0, worker, count, id);
  }

  #nameOf(registration: Registration): number {
    return (this.#names[registration.slot] ??= this.#ring.number(nameOf(registration)));
  }

  #timerName({ callback }: Timer): number {
    return this.#ring.number(callback.name === '' ? 'timer' : callback.name);
  }
}

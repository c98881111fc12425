import { Interest, Reactor } from 'tripoll';
import {
  exportOpenTelemetry,
  Observer,
  prometheusText,
  type MeterInstrument,
  type MeterLike,
  type MeterObservations,
} from 'tripoll/observe';
import { sys } from 'tripoll/raw';
import { fakeRig } from '../reactor/fake-reactor.js';
import { closed, invalidType, thrownBy } from '../support/errors.js';

const { READABLE } = Interest;

/** A reactor that has dispatched two events in one of its two turns. */
function usedRig() {
  const rig = fakeRig(0);
  for (const fd of [5, 6]) rig.poller.emit(rig.watch(fd).registration, READABLE);
  const observer = new Observer(rig.reactor);
  rig.reactor.turn();
  rig.reactor.turn();
  return { ...rig, observer };
}

const WORKER = {
  reactor: {
    ...{ registrations: 30, timers: 0, ready: 0, turns: 31, emptyTurns: 32, exhaustedTurns: 33, events: 34 },
    ...{ staleEvents: 35, spuriousEvents: 36, handlerCalls: 37, timerCalls: 38, wakes: 39 },
  },
  ...{ worker: 0, ready: true, restarts: 1, queued: 2, running: 3, tasks: 4, turns: 5, tasksPerTurn: 0.8 },
  ...{ steals: 6, stolenTasks: 7, parks: 8, overflows: 9, busyMs: 1500, busyShare: 0.5 },
};
const runtime = {
  metrics: () => ({
    pending: 0,
    waiting: 0,
    injected: 0,
    workers: [WORKER, { ...WORKER, worker: 1, tasks: 40 }],
  }),
};

/** As the API has it: instruments are read by callbacks, at a collection. */
class FakeMeter implements MeterLike {
  readonly created: { name: string; kind: string; unit: string }[] = [];
  readonly #callbacks = new Set<(observations: MeterObservations) => void>();

  createObservableCounter(name: string, { unit }: { unit: string }): MeterInstrument {
    return this.#create({ name, kind: 'counter', unit });
  }
  createObservableGauge(name: string, { unit }: { unit: string }): MeterInstrument {
    return this.#create({ name, kind: 'gauge', unit });
  }
  #create(instrument: { name: string; kind: string; unit: string }): MeterInstrument {
    this.created.push(instrument);
    return instrument;
  }
  addBatchObservableCallback(callback: (observations: MeterObservations) => void): void {
    this.#callbacks.add(callback);
  }
  removeBatchObservableCallback(callback: (observations: MeterObservations) => void): void {
    this.#callbacks.delete(callback);
  }
  /** `name{attributes}` and its value. */
  collect(): Map<string, number> {
    const values = new Map<string, number>();
    const observe: MeterObservations['observe'] = (instrument, value, attributes = {}) => {
      const key = `${(instrument as { name: string }).name}${JSON.stringify(attributes)}`;
      expect(values.has(key)).toBe(false);
      values.set(key, value);
    };
    for (const callback of this.#callbacks) callback({ observe });
    return values;
  }
}

describe('exportOpenTelemetry', () => {
  test('tells a meter of reactors and workers at each collection, until it is ended', () => {
    const { reactor } = usedRig();
    const meter = new FakeMeter();
    const end = exportOpenTelemetry(meter, { reactor, attributes: { reactor: 'one' } }, { runtime });
    const values = meter.collect();
    expect(Object.fromEntries(values)).toMatchObject({
      'tripoll.reactor.turns{"reactor":"one"}': 2,
      'tripoll.reactor.empty_turns{"reactor":"one"}': 1,
      'tripoll.reactor.handler.calls{"reactor":"one"}': 2,
      'tripoll.reactor.registrations{"reactor":"one","kind":"handler"}': 2,
      'tripoll.reactor.wait.events.max{"reactor":"one"}': 2,
      'tripoll.worker.tasks{"worker":0}': 4,
      'tripoll.worker.tasks{"worker":1}': 40,
      'tripoll.worker.busy.time{"worker":0}': 1.5,
      'tripoll.worker.utilization{"worker":0}': 0.5,
      'tripoll.reactor.turns{"worker":0}': 31,
      'tripoll.reactor.registrations{"worker":0}': 30,
    });
    reactor.turn();
    expect(meter.collect().get('tripoll.reactor.turns{"reactor":"one"}')).toBe(3);
    end();
    expect(meter.collect().size).toBe(0);
  });

  test('makes each instrument once, under names that are ours, with times in seconds', () => {
    const meter = new FakeMeter();
    exportOpenTelemetry(meter, { runtime }, { runtime });
    const names = meter.created.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(
      names.filter((name) => !/^tripoll\.(reactor|thread|worker)(\.[a-z][a-z0-9_]*)+$/.test(name)),
    ).toEqual([]);
    // A name is no other's first part.
    const metrics = names.filter((name) => !/\.(p[0-9]+|max)$/.test(name));
    expect(metrics.filter((name) => metrics.some((other) => other.startsWith(`${name}.`)))).toEqual([]);
    expect(meter.created).toContainEqual({
      name: 'tripoll.reactor.handler.duration.p99',
      kind: 'gauge',
      unit: 's',
    });
  });

  test('tells of a handler in seconds', () => {
    const { reactor, observer } = usedRig();
    observer.handlerMs.record(2000);
    const meter = new FakeMeter();
    exportOpenTelemetry(meter, { reactor });
    expect(meter.collect().get('tripoll.reactor.handler.duration.max{}')).toBe(2);
  });

  test('goes on when the reactor is closed', () => {
    const { reactor } = usedRig();
    const meter = new FakeMeter();
    exportOpenTelemetry(meter, { reactor });
    reactor.close();
    expect(meter.collect().get('tripoll.reactor.turns{}')).toBe(2);
  });

  test('refuses what is no meter, no reactor, no runtime, no attribute', () => {
    const meter = new FakeMeter();
    const refused = (...values: unknown[]): void =>
      expect(thrownBy(() => exportOpenTelemetry(...(values as [MeterLike])))).toMatchObject(invalidType);
    refused(null);
    refused({});
    refused(meter, null);
    refused(meter, { reactor: 'one' });
    refused(meter, { runtime: {} });
    refused(meter, { runtime, attributes: { one: null } });
    expect(thrownBy(() => exportOpenTelemetry(meter, { reactors: [] } as never))).toMatchObject({
      name: 'TypeError',
    });
    const reactor = new Reactor({ driver: 'manual' });
    reactor.close();
    expect(thrownBy(() => exportOpenTelemetry(meter, { reactor }))).toMatchObject(closed);
    expect(meter.created).toEqual([]);
  });
});

describe('prometheusText', () => {
  /** Of each series its value; what is not of the format is refused. */
  function parse(text: string): Map<string, number> {
    const [values, types] = [new Map<string, number>(), new Map<string, string>()];
    expect(text.endsWith('\n')).toBe(true);
    for (const line of text.slice(0, -1).split('\n')) {
      const comment = /^# (HELP|TYPE) ([a-z0-9_]+) (.+)$/.exec(line);
      if (comment !== null) {
        if (comment[1] === 'TYPE') {
          expect(types.has(comment[2]!)).toBe(false);
          types.set(comment[2]!, comment[3]!);
        }
        continue;
      }
      const sample =
        /^([a-z0-9_]+)((?:\{[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"(?:,[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*")*\})?) (\S+)$/.exec(
          line,
        );
      expect(sample?.[0] ?? '').toBe(line);
      const [, name, labels, value] = sample!;
      expect(types.has(name!) || types.get(name!.replace(/_(bucket|sum|count)$/, '')) === 'histogram').toBe(
        true,
      );
      expect(values.has(name! + labels!)).toBe(false);
      values.set(name! + labels!, Number(value));
    }
    return values;
  }

  test('has each metric once, with all its series', () => {
    const { reactor } = usedRig();
    const other = fakeRig().reactor;
    sys.close(sys.socket(sys.constants.AF_INET, sys.constants.SOCK_STREAM));
    const values = parse(
      prometheusText(
        { reactor, attributes: { reactor: 'one' } },
        { reactor: other, attributes: { reactor: 'two' } },
        { runtime },
      ),
    );
    expect(Object.fromEntries(values)).toMatchObject({
      'tripoll_reactor_turns_total{reactor="one"}': 2,
      'tripoll_reactor_turns_total{reactor="two"}': 0,
      'tripoll_reactor_registrations{reactor="one",kind="handler"}': 2,
      'tripoll_worker_tasks_total{worker="1"}': 40,
      'tripoll_worker_busy_time_seconds_total{worker="1"}': 1.5,
      'tripoll_worker_utilization_ratio{worker="1"}': 0.5,
      'tripoll_reactor_handler_calls_total{worker="1"}': 37,
    });
    const { bytesRead, bytesWritten, syscalls } = reactor.metrics();
    expect(syscalls.close).toBeGreaterThan(0);
    expect(Object.fromEntries(values)).toMatchObject({
      'tripoll_thread_syscalls_total{reactor="one",call="close"}': syscalls.close,
      'tripoll_thread_io_read_bytes_total{reactor="one"}': bytesRead,
      'tripoll_thread_io_written_bytes_total{reactor="one"}': bytesWritten,
      'tripoll_reactor_spin_looks_total{reactor="one"}': 0,
      'tripoll_reactor_spin_sleeps_total{reactor="one"}': 0,
    });
    expect([...values.keys()].filter((key) => /duration.*two/.test(key))).toEqual([]);
  });

  test('has histograms with cumulative buckets, in seconds', () => {
    const { reactor, observer } = usedRig();
    for (let ms = 0.5; ms <= 2000; ms *= 2) observer.timerLateMs.record(ms);
    const values = parse(prometheusText({ reactor }));
    const at = (bound: string): number =>
      values.get(`tripoll_reactor_timer_lateness_seconds_bucket{le="${bound}"}`)!;
    expect([at('0.0001'), at('0.0005'), at('0.001'), at('2.5'), at('+Inf')]).toEqual([0, 1, 2, 12, 12]);
    expect(values.get('tripoll_reactor_timer_lateness_seconds_sum')).toBeCloseTo(2.0475, 9);
    expect(values.get('tripoll_reactor_timer_lateness_seconds_count')).toBe(12);
    expect(values.get('tripoll_reactor_wait_events_bucket{le="0"}')).toBe(1);
    expect(values.get('tripoll_reactor_wait_events_bucket{le="2"}')).toBe(2);
  });

  test('escapes values and mends names', () => {
    const { reactor } = fakeRig();
    const attributes = { 'service.name': 'a "b"\\\nc', '0day': true };
    const key = 'tripoll_reactor_turns_total{service_name="a \\"b\\"\\\\\\nc",_0day="true"}';
    expect(parse(prometheusText({ reactor, attributes })).get(key)).toBe(0);
  });

  test('without a source it tells of the default reactor', () => {
    const turns = Reactor.default.metrics().turns;
    expect(parse(prometheusText()).get('tripoll_reactor_turns_total')).toBe(turns);
    Reactor.default.close();
  });
});

// The benchmark's runner; bench/README.md says how it measures.
import * as path from 'node:path';
import { begin, runCommand, save } from './command.js';
import { measureEcho } from './echo-rounds.js';
import type { EchoPlan } from './echo-rounds.js';
import { echoRatios, pingPongRatios } from './goals.js';
import type { RatioGoal } from './goals.js';
import { measureFairness, renderFairness } from './fairness.js';
import { measureIdleRss } from './idle-rss.js';
import type { Cores } from './load.js';
import { parseOptions, usage } from './options.js';
import type { BenchOptions, PartName } from './options.js';
import { resultsFolder, setBeforeFolder } from './paths.js';
import { Progress } from './progress.js';
import { renderEcho, renderIdle, renderRequire, renderTimers, summarizeRatios } from './report.js';
import { measureRequire } from './require-time.js';
import type { SideName } from './sides.js';
import { measureFiring, measureTimers } from './timers.js';

const pingPongSides: readonly SideName[] = [
  ...(['raw-epoll', 'libuv-tuned', 'nested', 'watcher', 'run', 'node-net'] as const),
  ...(['nested-before', 'watcher-before', 'run-before'] as const),
];
const idleRounds = 3;
const idleSides = ['node-shape', 'node-net'] as const;
const requireProcesses = 11;
const timerRounds = 7;
const fairnessSeconds = 5;
const firingTimers = 1_000_000;

class Bench {
  readonly #options: BenchOptions;
  readonly #cores: Cores;
  readonly #progress = new Progress();
  readonly results: Record<string, unknown> = {};

  constructor(options: BenchOptions, cores: Cores) {
    this.#options = options;
    this.#cores = cores;
  }

  async run(part: PartName): Promise<void> {
    if (part === 'echo') return this.#echo();
    if (part === 'ping-pong') return this.#pingPong();
    if (part === 'idle') return this.#idle();
    if (part === 'fairness') return this.#fairness();
    if (part === 'timers') {
      this.#timers();
      return;
    }
    return this.#require();
  }

  async #echo(): Promise<void> {
    for (const connections of this.#options.connections) {
      await this.#measure(`echo-${connections}`, { ...this.#plan(), connections }, echoRatios);
    }
  }

  async #pingPong(): Promise<void> {
    const sides = pingPongSides.filter((side) => this.#options.sides.includes(side));
    await this.#measure('ping-pong', { ...this.#plan(), sides, connections: 1, depth: 1 }, pingPongRatios);
  }

  async #idle(): Promise<void> {
    const connections = this.#options.idleConnections;
    const theirs = this.#options.beforeFolder === null ? idleSides : (['nested-before'] as const);
    const samples = await measureIdleRss(
      ['nested', ...theirs],
      connections,
      idleRounds,
      this.#cores,
      this.#progress,
    );
    this.results['idle'] = samples;
    this.#print(renderIdle(samples));
  }

  async #require(): Promise<void> {
    const times = await measureRequire(requireProcesses, this.#progress);
    this.results['require'] = times;
    this.#print(renderRequire(times));
    if (this.#options.beforeFolder === null) return;
    const before = await measureRequire(requireProcesses, this.#progress, true);
    this.results['requireBefore'] = before;
    this.#print(`Before:${renderRequire(before)}`);
  }

  async #fairness(): Promise<void> {
    const samples = await measureFairness(this.#options.rounds, fairnessSeconds, this.#cores, this.#progress);
    this.results['fairness'] = samples;
    this.#print(renderFairness(samples, fairnessSeconds));
  }

  #timers(): void {
    this.#progress.show('timers');
    const samples = measureTimers(timerRounds);
    const firing = measureFiring(firingTimers);
    this.results['timers'] = { samples, firing };
    this.#print(renderTimers(samples, firing));
  }

  async #measure(name: string, plan: EchoPlan, goals: readonly RatioGoal[]): Promise<void> {
    const result = await measureEcho(plan, this.#progress);
    this.results[name] = { ...result, ratios: summarizeRatios(result, goals) };
    this.#print(renderEcho(result, goals));
  }

  #plan(): EchoPlan {
    const { sides, sizeBytes, rounds, seconds, warmupSeconds, full, connections } = this.#options;
    return {
      ...{ sides, sizeBytes, rounds, seconds, warmupSeconds, cores: this.#cores },
      connections: connections[0] ?? 1,
      depth: 'calibrated',
      freshServers: full,
    };
  }

  #print(text: string): void {
    this.#progress.clear();
    process.stdout.write(text);
  }
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') {
    console.log(usage);
    return;
  }
  if (options.beforeFolder !== null) setBeforeFolder(options.beforeFolder);
  const date = new Date().toISOString();
  const { machine, cores } = begin();
  const bench = new Bench(options, cores);
  for (const part of options.parts) await bench.run(part);
  const file =
    options.jsonFile ??
    (options.full
      ? path.join(
          resultsFolder,
          `${date.slice(0, 10)}-${options.beforeFolder === null ? 'full' : 'before'}.json`,
        )
      : null);
  if (file !== null)
    save(path.resolve(file), {
      date,
      machine,
      options: {
        ...options,
        jsonFile: null,
        beforeFolder: options.beforeFolder && path.basename(options.beforeFolder),
      },
      results: bench.results,
    });
}

runCommand(main);

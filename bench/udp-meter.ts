// What a UDP side counts, and says as one line of JSON: as udp_peer.cc does.
import { writeSync } from 'node:fs';

export interface UdpResult {
  readonly packets: number;
  readonly seconds: number;
  readonly cpuUsec: number;
}

export class UdpMeter {
  #packets = 0;
  #startedMs = 0;
  #startedCpu = process.cpuUsage();
  readonly #warmupMs: number;
  readonly #durationMs: number;
  #begun = false;

  /** Argv: warm-up and duration in seconds, at these indices. */
  constructor(warmupS: number, durationS: number) {
    this.#warmupMs = warmupS * 1000;
    this.#durationMs = durationS * 1000;
  }

  /** The first packets start the clock. */
  count(packets: number): void {
    this.#packets += packets;
    if (this.#begun) return;
    this.#begun = true;
    setTimeout(() => this.#start(), this.#warmupMs);
  }

  #start(): void {
    this.#packets = 0;
    this.#startedMs = performance.now();
    this.#startedCpu = process.cpuUsage();
    setTimeout(() => this.#finish(), this.#durationMs);
  }

  #finish(): void {
    const { user, system } = process.cpuUsage(this.#startedCpu);
    const seconds = (performance.now() - this.#startedMs) / 1000;
    const result: UdpResult = { packets: this.#packets, seconds, cpuUsec: user + system };
    writeSync(1, `${JSON.stringify(result)}\n`);
    process.exit(0);
  }
}

import { BYTES_PER_UNIT } from '../../reactor/registry.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { DatagramBatch } from './datagram-batch.js';

// What datagrams cost of a turn's budget (T47).

/** As many of a batch cost about what a read of a stream does: a unit of a turn's budget. */
const DATAGRAMS_PER_UNIT = 4;

/** A batch is more than the one unit that its call took. */
export function consumeBudgetFor({ registry }: Reactor, datagrams: number): void {
  for (let paid = DATAGRAMS_PER_UNIT; paid < datagrams; paid += DATAGRAMS_PER_UNIT) registry.consumeBudget();
}

/** So are the bytes of large datagrams; small ones are what a unit stands for. */
export function chargeFor({ registry }: Reactor, batch: DatagramBatch, from: number, to: number): void {
  if (batch.slotBytes * DATAGRAMS_PER_UNIT <= BYTES_PER_UNIT) return;
  let bytes = 0;
  for (let i = from; i < to; i++) bytes += batch.lengthBytes(i);
  registry.chargeBytes(bytes);
}

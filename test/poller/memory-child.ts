// Run with --expose-gc: the batch's memory under collection, transfer and close (T07).
import assert from 'node:assert/strict';
import { MessageChannel } from 'node:worker_threads';
import { type BackendName, capabilities, Interest, Mode, Poller } from 'tripoll';
import { sys } from 'tripoll/raw';
import { openPipe } from '../support/pairs';
import { native } from '#lib/binding/native';

const collect = globalThis.gc;
assert(collect !== undefined);
const pipe: number[] = [];
assert.equal(openPipe(pipe, 0), 0);
const [reader = -1, writer = -1] = pipe;
assert.equal(sys.write(writer, Buffer.from('x')), 1);

function waitFor(poller: Poller, slot: number): void {
  assert.equal(poller.wait(0), 1);
  assert.equal(poller.events.slot(0), slot);
  assert.equal(poller.events.generation(0), 77);
}

function viewOf(index: number): ArrayBuffer {
  const memory = native.pollerEvents(index);
  assert(typeof memory === 'object');
  return memory;
}

/** Turns of the loop, in which finalizers of collected views run. */
async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    collect?.();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** Views other than the poller's own are collected: the memory stays the poller's. */
async function surviveCollection(backend: BackendName): Promise<void> {
  const index = native.pollerOpen(backend);
  assert.equal(native.pollerAdd(index, reader, 5, 77, Interest.READABLE, Mode.LEVEL), 0);
  for (let i = 0; i < 20; i++) native.pollerEvents(index);
  await settle();
  const bytes = viewOf(index).byteLength;
  await settle();
  // Whoever gets that memory now, would it be free, is written over by a wait.
  const others = Array.from({ length: 400 }, () => new Uint8Array(bytes));
  assert.equal(native.pollerWait(index, 0), 1);
  for (const other of others) assert(other.every((byte) => byte === 0));
  assert.deepEqual([...new Uint32Array(viewOf(index), 0, 3)], [5, 77, 1]);
  assert.equal(native.pollerClose(index), 0);
}

/** A view outlives its poller. */
async function surviveClose(backend: BackendName): Promise<void> {
  const poller = new Poller({ backend });
  assert.equal(poller.add(reader, 6, 77, Interest.READABLE, Mode.LEVEL), 0);
  waitFor(poller, 6);
  const { events } = poller;
  poller.close();
  await settle();
  const others = Array.from({ length: 400 }, () => new Uint8Array(events.words.byteLength).fill(0xff));
  assert.equal(events.slot(0), 6);
  events.words.fill(0);
  for (const other of others) assert(other.every((byte) => byte === 0xff));
}

type Transferable = ArrayBuffer & { transfer?: () => ArrayBuffer; resize?: (bytes: number) => void };

/**
 * Whatever is tried with the view, native code writes into its own memory, and the process lives.
 */
async function surviveTransfer(backend: BackendName): Promise<void> {
  const attempts: ((memory: Transferable) => void)[] = [
    (memory) => structuredClone(memory, { transfer: [memory] }),
    (memory) => new MessageChannel().port1.postMessage(memory, [memory]),
    (memory) => memory.transfer?.(),
    (memory) => memory.resize?.(0),
  ];
  for (const attempt of attempts) {
    const poller = new Poller({ backend });
    const memory = poller.events.words.buffer as Transferable;
    assert.equal(poller.add(reader, 7, 77, Interest.READABLE, Mode.LEVEL), 0);
    waitFor(poller, 7);
    try {
      attempt(memory);
    } catch (error) {
      const { name } = error as Error;
      assert(name === 'DataCloneError' || name === 'TypeError', name);
    }
    await settle();
    waitFor(poller, 7);
    assert(poller.events.words.length > 0);
    poller.close();
    assert.equal(poller.events.slot(0), 7);
  }
}

/**
 * Pollers nobody closed and nobody knows any more: nothing of them is collected under native code.
 */
async function forget(backend: BackendName): Promise<void> {
  for (let i = 0; i < 10; i++) new Poller({ backend }).add(reader, i, 77, Interest.READABLE, Mode.LEVEL);
  await settle();
}

async function main(): Promise<void> {
  for (const backend of capabilities.backends) {
    await surviveCollection(backend);
    await surviveClose(backend);
    await surviveTransfer(backend);
    await forget(backend);
  }
  console.log('done');
}

void main();

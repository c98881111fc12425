// What the server of the uneven load does with a message, on any library, and what load and server
// agree on: a message holds its worker up where its mark says so, and comes back with the worker's
// number.
export const messageBytes = 64;
export const markAt = 0;
export const workerAt = 1;
export const sequenceAt = 4;
export const heavyMark = 1;
export const heavyMs = 1;

/** Changes `message`, which is the answer. Workers' numbers differ in their last byte. */
export function answer(message: Uint8Array, worker: number): Uint8Array {
  if (message[markAt] === heavyMark) {
    const startMs = performance.now();
    while (performance.now() - startMs < heavyMs);
  }
  message[workerAt] = worker;
  return message;
}

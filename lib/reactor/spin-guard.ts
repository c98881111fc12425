/**
 * So many turns in a row that were woken and found nothing are reported: netty rebuilds its
 * selector after as many.
 */
const EMPTY_TURNS_REPORTED = 512;

/** Counts turns that did nothing, and says so once when they come in a row (T49). */
export class SpinGuard {
  emptyTurns = 0;
  #inRow = 0;

  note(ran: number, events: number): void {
    if (ran > 0) {
      this.#inRow = 0;
      return;
    }
    this.emptyTurns++;
    // A wake or a deadline with nothing to do is no spin; events that reach nobody are.
    if (events === 0) return;
    this.#inRow++;
    if (this.#inRow !== EMPTY_TURNS_REPORTED) return;
    process.emitWarning(
      `${EMPTY_TURNS_REPORTED} turns in a row were woken by events that belong to no registration: ` +
        'an fd was probably closed before it was deregistered while a duplicate of it stays open',
      { type: 'TripollWarning', code: 'ERR_TRIPOLL_SPIN' },
    );
  }
}

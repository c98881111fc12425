/** Words of the memory by which two threads take turns, and what is in them. */
export const Turn = { ASKED: 0, ANSWERED: 1, READY: 1, END: -1 } as const;

// What the watchdog's thread sees of the one that it watches. Nothing here may need the addon: that
// thread does not load it.

/**
 * Places of the shared words. They are written without locks and fences: a value that arrives a
 * little later is as good.
 */
export const Beat = {
  /** Grows with each handler, timer and turn that begins or ends. */
  WORK: 0,
  /** One of `Doing`. */
  DOING: 1,
  /** The fd whose handler runs, or -1. */
  FD: 2,
  /** By which the thread knows what was said of the handler; 0 when nothing was. */
  ORIGIN: 3,
  /** Grows by the reactor's own timer. */
  ALIVE: 4,
  /** Written by the thread: the `WORK` that it has found slow, and will tell of. */
  FOUND: 5,
  /** Written by the thread: how many findings it has posted. */
  TOLD: 6,
} as const;

export const BEAT_WORDS = 7;

/** What the watched thread is in. */
export const Doing = { NOTHING: 0, TURN: 1, HANDLER: 2, TIMER: 3 } as const;

/** What the thread is started with. */
export interface ThreadPlan {
  readonly tripollWatchdog: {
    readonly beat: SharedArrayBuffer;
    /** `threadId` of the thread that is watched; 0 is the main one. */
    readonly watched: number;
    /** 0: not looked for. */
    readonly slowHandlerMs: number;
    /** 0: not looked for. */
    readonly stalledMs: number;
    /** What to write, and where to, when anything is reported. */
    readonly dump: { readonly memories: readonly SharedArrayBuffer[]; readonly file: string } | null;
  };
}

/** To the thread: dump what was recorded. */
export const DUMP = 'dump';

/** To the thread: what is recorded is in these from now on. */
export interface MemoriesMessage {
  readonly memories: readonly SharedArrayBuffer[];
}

export type ToThread = typeof DUMP | OriginMessage | MemoriesMessage;

/** To the thread: what it may say of handlers whose `ORIGIN` is this. */
export interface OriginMessage {
  readonly origin: number;
  readonly name: string;
  /** Lines, or nothing. */
  readonly where: string;
}

/** From the thread. */
export interface FoundMessage {
  readonly kind: 'slow' | 'stalled';
  /** `WORK` then. */
  readonly work: number;
  /** For so long it had seen no change. */
  readonly seenMs: number;
  /** The stack of the watched thread, a line each frame; null with `whyNoStack`. */
  readonly stack: string | null;
  readonly whyNoStack: string;
}

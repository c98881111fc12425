import { Session, type Debugger } from 'node:inspector';
import { pathToFileURL } from 'node:url';

/** A stack, a line each frame, or why there is none. */
export interface SampledStack {
  readonly stack: string | null;
  readonly whyNoStack: string;
}

/**
 * JavaScript that runs hears an interrupt in a moment, on a machine that is overloaded in seconds;
 * native code in which it waits never does.
 */
const LONGEST_SAMPLE_MS = 5000;
/** As many as anybody reads. */
const MAX_FRAMES = 30;
/** From dist/bundle/. */
const OWN_FOLDER = pathToFileURL(__dirname).href;

/** Calls `done` with the answer, or with an error's message. */
type Post = (method: string, done: (error: string | null) => void) => void;
interface Notification {
  readonly method?: string;
  readonly params?: unknown;
}
/** What a worker's inspector says. */
interface WorkerMessage extends Notification {
  readonly id?: number;
  readonly error?: { readonly message: string };
}

/**
 * The stack of another thread of this process, taken by Node's inspector: it interrupts the
 * JavaScript that runs there, for a moment. `goesOn` is asked while it is interrupted.
 */
export function sampleStack(watched: number, goesOn: () => boolean): Promise<SampledStack> {
  return new Promise((resolve) => {
    let session: Session | null = null;
    const end = (stack: string | null, whyNoStack: string): void => {
      clearTimeout(timer);
      session?.disconnect();
      session = null;
      resolve({ stack, whyNoStack });
    };
    const timer = setTimeout(
      () => end(null, 'no JavaScript ran: it waits in native code, or is idle'),
      LONGEST_SAMPLE_MS,
    );
    try {
      session = new Session();
      session.connectToMainThread();
      const sample = new Sample(goesOn, end);
      if (watched === 0) connectToMain(session, sample);
      else connectToWorker(session, watched, sample);
    } catch (error) {
      end(null, `this runtime cannot look into another thread: ${(error as Error).message}`);
    }
  });
}

/** Without what has called the user's outermost function: this library and the runtime. */
function fromUser(frames: readonly string[]): string[] {
  const isUsers = (line: string): boolean => !line.includes(`(${OWN_FOLDER}/`) && !line.includes('(node:');
  const outermost = frames.findLastIndex(isUsers);
  return frames.slice(0, Math.min(MAX_FRAMES, outermost < 0 ? frames.length : outermost + 1));
}

/** One conversation with a thread's debugger. */
class Sample {
  readonly #goesOn: () => boolean;
  readonly #end: (stack: string | null, whyNoStack: string) => void;
  readonly #urls = new Map<string, string>();
  #asked = false;

  constructor(goesOn: () => boolean, end: (stack: string | null, whyNoStack: string) => void) {
    this.#goesOn = goesOn;
    this.#end = end;
  }

  begin(post: Post): void {
    post('Debugger.enable', (error) => {
      if (error !== null) this.refuse(error);
      else this.#pause(post);
    });
  }

  #pause(post: Post): void {
    this.#asked = true;
    post('Debugger.pause', (error) => {
      if (error !== null) this.refuse(error);
    });
  }

  refuse(error: string): void {
    this.#end(null, `this runtime cannot look into another thread: ${error}`);
  }

  onNotification({ method, params }: Notification, post: Post): void {
    if (method === 'Debugger.scriptParsed') this.#noteScript(params as Debugger.ScriptParsedEventDataType);
    else if (method === 'Debugger.paused') this.#onPaused(params as Debugger.PausedEventDataType, post);
  }

  #noteScript({ scriptId, url }: Debugger.ScriptParsedEventDataType): void {
    if (url !== '') this.#urls.set(scriptId, url);
  }

  #onPaused({ callFrames }: Debugger.PausedEventDataType, post: Post): void {
    // A person's debugger stands there, told when ours was enabled: it is theirs to go on.
    if (!this.#asked) {
      this.#end(null, 'a debugger has stopped the thread');
      return;
    }
    const stack = this.#goesOn() ? fromUser(callFrames.map((frame) => this.#line(frame))) : null;
    post('Debugger.resume', () =>
      this.#end(stack?.join('\n') ?? null, stack === null ? 'it had ended when its stack was taken' : ''),
    );
  }

  #line({ functionName, url, location }: Debugger.CallFrame): string {
    const { scriptId, lineNumber, columnNumber = 0 } = location;
    const file = url === '' ? (this.#urls.get(scriptId) ?? '<unknown>') : url;
    return `    at ${functionName || '<anonymous>'} (${file}:${lineNumber + 1}:${columnNumber + 1})`;
  }
}

function connectToMain(session: Session, sample: Sample): void {
  const post: Post = (method, done) => session.post(method, (error) => done(error?.message ?? null));
  session.on('inspectorNotification', (message) => sample.onNotification(message, post));
  sample.begin(post);
}

/** By way of the main thread, which must go on for that: only its inspector finds the workers. */
function connectToWorker(session: Session, watched: number, sample: Sample): void {
  const calls: ((error: string | null) => void)[] = [];
  let sessionId = '';
  const post: Post = (method, done) => {
    const message = JSON.stringify({ id: calls.push(done) - 1, method });
    session.post('NodeWorker.sendMessageToWorker', { sessionId, message });
  };
  session.on('NodeWorker.attachedToWorker', ({ params }) => {
    // Its title is all that names the thread: "[worker 1]", and from Node 24 on its own name.
    if (!params.workerInfo.title.startsWith(`[worker ${watched}]`)) return;
    sessionId = params.sessionId;
    sample.begin(post);
  });
  session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
    if (params.sessionId !== sessionId) return;
    const message = JSON.parse(params.message) as WorkerMessage;
    if (message.id === undefined) sample.onNotification(message, post);
    else calls[message.id]?.(message.error?.message ?? null);
  });
  session.post('NodeWorker.enable', { waitForDebuggerOnStart: false }, (error) => {
    if (error !== null) sample.refuse(error.message);
  });
}

import * as nodeModule from 'node:module';
import * as nodeNet from 'node:net';
import { pathToFileURL } from 'node:url';
import { isClusterWorker } from './cluster-worker.js';
import * as dgram from './dgram.js';
import { hookHttp, hookServers, hookTls } from './hooks.js';
import { mendHttp2Streams } from './http2-streams.js';
import {
  connect,
  getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  setDefaultAutoSelectFamily,
  setDefaultAutoSelectFamilyAttemptTimeout,
  Socket,
} from './net.js';
import { hookSending, leadSending } from './sending.js';

// `node --require tripoll/register app.js`: what asks for node:net or node:dgram gets tripoll's, and
// http, https, http2 and tls use it. Node's own modules keep the classes of node:net, which TLS and standard
// input and output need.

const { Module, register, syncBuiltinESMExports } = nodeModule;

type Load = (this: unknown, request: string, parent: unknown, isMain: boolean) => unknown;
type Loader = typeof Module & { _load: Load };

/** `net.Server` stays Node's class, of which http's and tls' are heirs: it has our methods. */
const hookedNet = {
  ...nodeNet,
  connect,
  createConnection: connect,
  Socket,
  Stream: Socket,
  getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  setDefaultAutoSelectFamily,
  setDefaultAutoSelectFamilyAttemptTimeout,
  createServer: (...args: ConstructorParameters<typeof nodeNet.Server>) => new nodeNet.Server(...args),
};
Reflect.deleteProperty(hookedNet, 'default');

let hookedDgram: object | undefined;
/** Made when it is first asked for: it loads what UDP needs. */
function toHookedDgram(): object {
  const { createSocket, Socket: DgramSocket } = dgram;
  const own = { createSocket, Socket: DgramSocket };
  return (hookedDgram ??= { ...(load.call(Module, 'node:dgram', null, false) as object), ...own });
}
/** Exports of modules that are loaded when they are asked for, of a Node that has no `registerHooks`. */
const LATE_NAMES = {
  dgram: ['_createSocketHandle', 'createSocket', 'Socket'],
  http2: [
    'connect',
    'constants',
    'createServer',
    'createSecureServer',
    'getDefaultSettings',
    'getPackedSettings',
    'getUnpackedSettings',
    'performServerHandshake',
    'sensitiveHeaders',
    'Http2ServerRequest',
    'Http2ServerResponse',
  ],
};

/** What has to be done to a module before a program has it. */
const HOOKS: Record<string, (exports: never) => void> = {
  http: hookHttp,
  tls: hookTls,
  http2: mendHttp2Streams,
  child_process: hookSending,
};
/** These lead to them. */
const NEEDS: Record<string, readonly string[]> = {
  http: ['http'],
  _http_agent: ['http'],
  https: ['http', 'tls'],
  http2: ['tls', 'http2'],
  tls: ['tls'],
  _tls_wrap: ['tls'],
  child_process: ['child_process'],
  cluster: ['child_process'],
};
const hooked = new Set<string>();

const loader = Module as Loader;
const load = loader._load;

/** The exports that a program gets for a name; undefined where nothing is changed. */
function replacementOf(request: string): object | undefined {
  const name = request.startsWith('node:') ? request.slice(5) : request;
  if (name === 'net') return hookedNet;
  if (name === 'dgram') return toHookedDgram();
  let isNew = false;
  for (const needed of NEEDS[name] ?? []) {
    if (hooked.has(needed)) continue;
    hooked.add(needed);
    HOOKS[needed]?.(load.call(Module, `node:${needed}`, null, false) as never);
    isNew = true;
  }
  if (isNew) syncBuiltinESMExports();
  return undefined;
}

/** A module of ours asks for what is Node's. */
function isOwn(parent: unknown): boolean {
  const { filename } = (parent ?? {}) as { filename?: string };
  return filename?.startsWith(__dirname) === true;
}

function hookRequire(): void {
  loader._load = function (request, parent, isMain) {
    const replacement = typeof request === 'string' && !isOwn(parent) ? replacementOf(request) : undefined;
    return replacement ?? load.call(this, request, parent, isMain);
  };
  const { getBuiltinModule } = process as { getBuiltinModule?: (name: string) => unknown };
  if (getBuiltinModule === undefined) return;
  Object.assign(process, {
    getBuiltinModule: (name: unknown) =>
      (typeof name === 'string' ? replacementOf(name) : undefined) ??
      getBuiltinModule.call(process, name as string),
  });
}

/** For `import`: a module that hands out what `require` gives. */
function facade(name: string, names: readonly string[]): string {
  // Of any file that is not ours: a URL of Windows has a drive.
  const from = JSON.stringify(pathToFileURL('/tripoll').href);
  const source = `import { createRequire } from 'node:module';
const own = createRequire(${from})('node:${name}');
export default own;
export const { ${names.join(', ')} } = own;`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

type Resolve = (specifier: string, context: unknown, next: (...args: unknown[]) => unknown) => unknown;
type RegisterHooks = (hooks: { resolve: Resolve }) => void;

function hookImport(): void {
  const { registerHooks } = nodeModule as { registerHooks?: RegisterHooks };
  if (registerHooks !== undefined) {
    registerHooks({
      resolve: (specifier, context, next) => {
        // A `require` is ours already.
        const { conditions = [] } = context as { conditions?: readonly string[] };
        const replacement = conditions.includes('require') ? undefined : replacementOf(specifier);
        if (replacement === undefined) return next(specifier, context);
        const url = facade(specifier.replace(/^node:/, ''), Object.keys(replacement));
        return { url, format: 'module', shortCircuit: true };
      },
    });
    return;
  }
  const urls: Record<string, string> = { net: facade('net', Object.keys(hookedNet)) };
  for (const [name, names] of Object.entries(LATE_NAMES)) urls[name] = facade(name, names);
  for (const name of Object.keys(HOOKS)) if (urls[name] === undefined) replacementOf(name);
  const hook = `const urls = new Map(Object.entries(${JSON.stringify(urls)}));
export function resolve(specifier, context, next) {
  const url = urls.get(specifier.replace(/^node:/, ''));
  return url === undefined ? next(specifier, context) : { url, format: 'module', shortCircuit: true };
}`;
  register(`data:text/javascript,${encodeURIComponent(hook)}`);
}

// http2 and fetch() connect by these: by what a program has put in their place, if it has.
Object.assign(load.call(Module, 'node:net', null, false) as object, {
  connect: (...args: unknown[]) => hookedNet.connect(...args),
  createConnection: (...args: unknown[]) => hookedNet.createConnection(...args),
});
if (!isClusterWorker()) hookServers();
leadSending(process as never);
hookRequire();
hookImport();

export {};

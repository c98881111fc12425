// Says what happens to files and folders (inotify):
//   node out/examples/watch-files.js /tmp      then, elsewhere: touch /tmp/x; mv /tmp/x /tmp/y; rm /tmp/y
import path from 'node:path';
import { Inotify, signal, type InotifyEvent } from 'tripoll/net';
import { sys } from 'tripoll/raw';

const paths = process.argv.slice(2);
if (paths.length === 0 || paths.some((name) => name.startsWith('-'))) {
  console.error('usage: node out/examples/watch-files.js <path>...');
  process.exit(2);
}

const names = ['CREATE', 'MODIFY', 'CLOSE_WRITE', 'ATTRIB', 'MOVED_FROM', 'MOVED_TO', 'DELETE'] as const;
const endings = ['DELETE_SELF', 'MOVE_SELF', 'IGNORED', 'UNMOUNT'] as const;
const flags = [...names, ...endings].map((name) => [name, sys.constants[`IN_${name}`] ?? 0] as const);

function describe(event: InotifyEvent): string {
  if (event.overflow) return 'OVERFLOW: events were lost';
  const what = flags.filter(([, flag]) => (event.mask & flag) !== 0).map(([name]) => name);
  // The two halves of a rename share a cookie.
  const cookie = event.cookie === 0 ? '' : ` (rename ${event.cookie})`;
  return `${what.join('|')} ${path.join(event.path ?? '?', event.name)}${cookie}`;
}

async function watch(inotify: Inotify): Promise<void> {
  for (const name of paths) inotify.add(name);
  console.log(`watching ${paths.join(' ')}`);
  for await (const event of inotify) console.log(describe(event));
}

const inotify = new Inotify();
const ends = signal(['SIGINT', 'SIGTERM']);
// Either closes both: what stays open would keep the process alive.
const close = (): void => {
  inotify.close();
  ends.close();
};
ends.next().then(close, close);
watch(inotify)
  .catch((error: unknown) => {
    console.error((error as Error).message);
    process.exitCode = 1;
  })
  .finally(close);

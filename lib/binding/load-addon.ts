// Finds and loads the addon. By ourselves: what is there for this knows musl by a file of one
// distribution, and an install script, which package managers no longer run.
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { addonError, type FailedFile, type Libc } from './addon-error.js';

const HEADER_BYTES = 4096;

/**
 * The C library that this program is linked to, by the dynamic linker that the head of its file
 * names: `process.report` tells it as well, and takes 15 ms. Undefined where it is not named there,
 * or cannot be read (--permission).
 */
function libcOf(program: string): Libc | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(program, 'r');
    const header = Buffer.alloc(HEADER_BYTES);
    readSync(fd, header);
    if (header.includes('/ld-musl-')) return 'musl';
    return header.includes('/ld-linux') ? 'glibc' : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Of this system and processor; where the C library is not known, those of each. */
function prebuilds(libc: Libc | undefined): string[] {
  const { platform, arch } = process;
  const tags = platform !== 'linux' ? [''] : libc === undefined ? ['.glibc', '.musl'] : [`.${libc}`];
  return tags.map((tag) => `prebuilds/${platform}-${arch}/tripoll${tag}.node`);
}

/**
 * Loads what was compiled in `root`, or the prebuild that fits platform, processor and C library.
 *
 * @throws Error with the code ERR_TRIPOLL_NO_ADDON, which says what was tried
 */
export function loadAddon(root: string, program = process.execPath): unknown {
  const libc = process.platform === 'linux' ? libcOf(program) : undefined;
  const failed: FailedFile[] = [];
  for (const name of ['build/Release/tripoll.node', ...prebuilds(libc)]) {
    const file = join(root, name);
    try {
      // eslint-disable-next-line @typescript-eslint/no-require-imports -- import() has no addons
      return require(file) as unknown;
    } catch (error) {
      failed.push({ file, error });
    }
  }
  throw addonError(root, libc, failed);
}

// Why the addon could not be loaded, and what to do: nothing here may need it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A C library of Linux. */
export type Libc = 'glibc' | 'musl';

/** A file that was tried, and what its loading has thrown. */
export interface FailedFile {
  readonly file: string;
  readonly error: unknown;
}

type CodedError = Error & { code?: string };

function isPackage(root: string): boolean {
  try {
    return /"name": *"tripoll"/.test(readFileSync(join(root, 'package.json'), 'utf8'));
  } catch {
    return false;
  }
}

function describe({ file, error }: FailedFile): string {
  const { code, message } = error as CodedError;
  const isForbidden = code === 'ERR_DLOPEN_DISABLED' || code === 'ERR_ACCESS_DENIED';
  return `  ${file}: ${isForbidden || existsSync(file) ? message : 'not there'}`;
}

function adviceFor(root: string, codes: readonly unknown[]): string {
  if (codes.includes('ERR_DLOPEN_DISABLED')) {
    return 'Addons are switched off in this process: Node needs --allow-addons beside --permission, and no --no-addons.';
  }
  if (codes.includes('ERR_ACCESS_DENIED')) {
    return `This process may not read the package: Node needs --allow-fs-read=${root} beside --permission.`;
  }
  if (!isPackage(root)) {
    return (
      `${root} is not the package's folder. Where a bundler has put tripoll into a file of its own, ` +
      'make it external instead, so that it is loaded from node_modules.'
    );
  }
  return 'To compile it here, with a C++ compiler, make and Python: npx tripoll build';
}

/** Says which platform this is, what was tried, and what to do. */
export function addonError(root: string, libc: Libc | undefined, failed: readonly FailedFile[]): Error {
  const { platform, arch, version } = process;
  const codes = failed.map(({ error }) => (error as CodedError).code);
  const library = platform === 'linux' ? ` with ${libc ?? 'an unknown C library'}` : '';
  const lines = [
    `tripoll: no compiled addon could be loaded on ${platform}-${arch}${library}, Node ${version}`,
    ...failed.map(describe),
    adviceFor(root, codes),
  ];
  const found = failed.find(({ file }) => existsSync(file)) ?? failed.at(-1);
  return Object.assign(new Error(lines.join('\n'), { cause: found?.error }), {
    code: 'ERR_TRIPOLL_NO_ADDON',
  });
}

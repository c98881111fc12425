import { execFileSync } from 'node:child_process';

/** Makes a FIFO by Python, which the build needs anyway: a machine may lack mkfifo(1). */
export function makeFifo(path: string): string {
  execFileSync('python3', ['-c', 'import os, sys; os.mkfifo(sys.argv[1])', path]);
  return path;
}

// The other runtimes that load Node-API addons. Each has Node-API's edges of its own: Deno 2 writes
// results that nobody asked for.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { testIf } from '../support/applies.js';
import { packageRoot } from '../support/child.js';
import { isWine } from '../support/platform.js';
import { testWithTools } from '../support/tools.js';

const script = path.join(packageRoot, 'out/test/lifecycle/echo-child.js');
const runtimes: [name: string, args: string[]][] = [
  ['bun', ['run', script]],
  ['deno', ['run', '--allow-all', script]],
];

for (const [name, args] of runtimes) {
  const testHere = isWine ? testIf(false, 'no other runtime is there under Wine') : testWithTools(name);
  testHere(`an echo in ${name}, by the driver that needs no libuv`, () => {
    const { status, stdout, stderr } = spawnSync(name, args, { encoding: 'utf8', timeout: 15_000 });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      driver: 'watcher',
      text: 'hello',
      late: 'ERR_TRIPOLL_TIMEOUT',
    });
  });
}

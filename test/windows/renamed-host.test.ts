// The addon imports Node-API from node.exe, and its host may be called otherwise:
// native/windows/delay_load_hook.cc.
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { testIf } from '../support/applies.js';
import { expectCleanExit, runScript } from '../support/child.js';
import { isWindows } from '../support/platform.js';
import { temporaryFolder } from '../support/folders.js';

testIf(isWindows, 'it is about how Windows finds symbols')(
  'the addon loads in a host that is not node.exe',
  async () => {
    const execPath = path.join(temporaryFolder(), 'renamed-host.exe');
    copyFileSync(process.execPath, execPath);
    const script = `
      const { Reactor } = require('tripoll');
      console.log(require('node:path').basename(process.execPath));
      const reactor = new Reactor();
      reactor.setTimer(1, () => { console.log('works'); reactor.close(); });`;
    const result = await runScript(script, { execPath, deadlineMs: 30_000 });
    expectCleanExit(result);
    expect(result.stdout).toBe('renamed-host.exe\nworks\n');
  },
);

'use strict';
// The end of every build: tsc leaves the output of a source that was deleted or moved behind, and
// Jest would go on running it.
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');

/** Whether `name`, without its ending, is made of a source in the folder. */
const hasSource = (folder, name) =>
  ['ts', 'mts'].some((end) => fs.existsSync(path.join(folder, `${name}.${end}`)));

for (const [output, sources] of [
  ['dist', 'lib'],
  ['out/lib', 'lib'],
  ['out/test', 'test'],
]) {
  const folder = path.join(root, output);
  for (const name of fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const [, base] = /^(.*?)(\.d)?\.m?[jt]s(\.map)?$/.exec(name) ?? [];
    if (
      base === undefined ||
      base.startsWith(`bundle${path.sep}`) ||
      hasSource(path.join(root, sources), base)
    )
      continue;
    fs.rmSync(path.join(folder, name));
  }
}

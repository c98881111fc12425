'use strict';
// Removes what was built: all of it, or the folders named. In JavaScript, so that it runs on
// Windows too.
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const built = fs.readdirSync(root).filter((name) => /^(build|build-.*|dist|out)$/.test(name));
const named = process.argv.slice(2);
for (const folder of named.length > 0 ? named : [...built, 'native/build', 'bench/native/build']) {
  fs.rmSync(path.join(root, folder), { recursive: true, force: true });
}

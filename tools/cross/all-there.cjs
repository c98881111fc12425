'use strict';
// Before npm publish: nothing is published without every addon that the package promises.
const fs = require('node:fs');
const path = require('node:path');
const { TARGETS } = require('./targets.cjs');

const prebuilds = path.join(__dirname, '../../prebuilds');
const names = TARGETS.map(({ prebuild }) => prebuild).filter((name) => name !== undefined);
const missing = names.filter((name) => !fs.existsSync(path.join(prebuilds, name)));
if (missing.length > 0) {
  console.error(`prebuilds/ lacks ${missing.join(', ')}: npm run prebuild:all`);
  process.exitCode = 1;
}

'use strict';
// Nothing is published without every addon that the package promises.
const fs = require('node:fs');
const path = require('node:path');
const { TARGETS } = require('./targets.cjs');

/** Of those, what the folder lacks. */
function missingPrebuilds(folder) {
  const names = TARGETS.map(({ prebuild }) => prebuild).filter((name) => name !== undefined);
  return names.filter((name) => !fs.existsSync(path.join(folder, name)));
}

module.exports = { missingPrebuilds };

'use strict';
// `npm test`: builds, runs every leg that this machine can run, and ends with one line, "N passed, N failed", over all of them.
// Arguments go to Jest, which then runs alone: npm test -- reactor -t T07
const path = require('node:path');
const { failed, finish, root, runJest, runLine } = require('./legs.cjs');
const { runNativeTests } = require('./native-tests.cjs');

const jestArguments = process.argv.slice(2);

/** A newcomer may have no CMake; in CI a leg that did not run must not look green. */
function runCtest() {
  const leg = runNativeTests();
  return leg.missing && !process.env.CI ? { ...leg, failed: 0 } : leg;
}

if (!runLine('npm run --silent compile')) finish([failed('build')]);
const legs = [runJest(path.join(root, 'out/jest.json'), jestArguments)];
if (jestArguments.length === 0) legs.push(runCtest());
finish(legs);

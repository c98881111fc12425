'use strict';
// `npm test`: builds, runs every leg that this machine can run, and ends with one line, "N passed,
// N failed", over all of them. What a missing tool leaves out is listed above that line; with
// TRIPOLL_ALL_TOOLS=1 (.ci/run) it counts as failed. Arguments go to Jest, which then runs alone:
// npm test -- reactor -t T07. --no-build takes what was built before.
const path = require('node:path');
const { failed, finish, root, runJest, runLine } = require('./legs.cjs');
const { runNativeTests } = require('./native-tests.cjs');

const isBuilt = process.argv.includes('--no-build');
const jestArguments = process.argv.slice(2).filter((argument) => argument !== '--no-build');

if (!isBuilt && !runLine('npm run --silent compile')) finish([failed('build')]);
// A test of this runner runs it within another run, which has a report of its own.
const report = process.env.JEST_WORKER_ID === undefined ? 'out/jest.json' : 'out/jest-within.json';
const legs = [runJest(path.join(root, report), jestArguments)];
if (jestArguments.length === 0) legs.push(runNativeTests());
finish(legs);

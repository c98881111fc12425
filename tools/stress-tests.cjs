'use strict';
// `npm run test:stress`: what of test/runtime takes long. Ten million tasks on four threads, a
// thousand terminated workers, and every case of the explorer. Builds nothing: run `npm run compile`
// before. Arguments are Jest's. Its last line is "N passed, N failed".
const path = require('node:path');
const { finish, root, runJest } = require('./legs.cjs');

const HOUR_MS = 60 * 60_000;
const suites = ['/out/test/runtime/scheduler/', '/out/test/runtime/deaths'];
const only = process.argv.slice(2);
const env = {
  TRIPOLL_DEATHS: '1000',
  TRIPOLL_EXPLORE: 'all',
  TRIPOLL_STRESS_TASKS: '10000000',
  ...process.env,
};
const patterns = only.length > 0 ? only : suites;
finish([runJest(path.join(root, 'out/jest-stress.json'), patterns, env, undefined, HOUR_MS)]);

// Jest runs the compiled tests (npm run build:ts): what is tested is what is shipped, and no transform is needed.
// The addon is loaded once in a worker process, whatever the number of test files it runs.
const leftOut = [];
// What cannot be on Windows, with the reason for each; npm run test:windows lists it.
if (process.platform === 'win32') leftOut.push(...Object.keys(require('./test/not-on-windows.json')));
// Programs of others, which npm run test:interop alone has installed.
if (process.env.TRIPOLL_INTEROP !== '1') leftOut.push('interop/');

module.exports = {
  roots: ['<rootDir>/out/test'],
  testMatch: ['**/*.test.js'],
  testEnvironment: 'node',
  // As test/support/deadline.ts has it, so that a wait's own sentence comes first.
  testTimeout: 20_000 * Number(process.env.TRIPOLL_SLOWNESS ?? 1),
  testPathIgnorePatterns: leftOut.map((name) => `out.test.${name.replace(/\W/g, '.')}`),
  transform: {},
  maxWorkers: 2, // tests that look at time or count fds want a quiet machine
};

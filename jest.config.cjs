// Jest runs the compiled tests (npm run build:ts): what is tested is what is shipped, and no transform is needed.
// The addon is loaded once in a worker process, whatever the number of test files it runs.
// What cannot be on Windows, with the reason for each; npm run test:windows lists it.
const notOnWindows = Object.keys(require('./test/not-on-windows.json')).map((name) =>
  name.replace(/\W/g, '.'),
);

module.exports = {
  roots: ['<rootDir>/out/test'],
  testMatch: ['**/*.test.js'],
  testEnvironment: 'node',
  testTimeout: 20000,
  ...(process.platform === 'win32' && { testPathIgnorePatterns: [`out.test.(${notOnWindows.join('|')})`] }),
  transform: {},
  maxWorkers: 2, // tests that look at time or count fds want a quiet machine
};

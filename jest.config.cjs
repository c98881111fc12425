// Jest runs the compiled tests (npm run build:ts): what is tested is what is shipped, and no transform is needed.
// The addon is loaded once in a worker process, whatever the number of test files it runs.
module.exports = {
  roots: ['<rootDir>/out/test'],
  testMatch: ['**/*.test.js'],
  testEnvironment: 'node',
  testTimeout: 20000,
  transform: {},
  maxWorkers: 2, // tests that look at time or count fds want a quiet machine
};

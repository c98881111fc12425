import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync } from 'node:fs';
import path from 'node:path';
import { within } from '../support/deadline.js';
import { expectExit, runExample, type Example } from './example.js';
import { temporaryFolder } from '../support/folders.js';
import { testWithTools } from '../support/tools.js';

const folder = temporaryFolder();
const socket = path.join(folder, 'log');

const loggerTest = testWithTools('logger');

function log(...args: string[]): void {
  const { status, stderr } = spawnSync('logger', ['-u', socket, ...args], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}

async function start(): Promise<Example> {
  const running = runExample('syslog-sink', [socket]);
  await running.printed(/^listening on /m);
  return running;
}

loggerTest('what logger(1) sends is printed, and the socket goes with it', async () => {
  const running = await start();
  expect(lstatSync(socket).isSocket()).toBe(true);
  log('-p', 'daemon.warning', '-t', 'tester', 'disk is filling up');
  await running.printed(/^daemon\.warning .*tester: disk is filling up$/m);
  log('-p', 'local0.info', '-t', 'tester', 'second');
  await running.printed(/^facility16\.info .*tester: second$/m);
  log('-p', 'user.err', '-t', 'tester', 'a \u001b[31mred\u001b[0m one');
  await running.printed(/^user\.err .*tester: a \?\[31mred\?\[0m one$/m);
  running.interrupt();
  await expectExit(running, 0, '');
  expect(existsSync(socket)).toBe(false);
});

loggerTest('it takes over the socket of one that was killed, not of one that lives', async () => {
  const first = await start();
  const second = runExample('syslog-sink', [socket]);
  expect((await within(second.exited, 'exit')).code).toBe(1);
  expect(second.errors()).toContain('EADDRINUSE');
  first.kill();
  await within(first.exited, 'exit');
  expect(existsSync(socket)).toBe(true);
  const third = await start();
  log('-p', 'user.notice', 'still here');
  await third.printed(/^user\.notice .*still here$/m);
});

test('usage', async () => {
  await expectExit(runExample('syslog-sink', []), 2, 'usage:');
});

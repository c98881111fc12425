// Which file of the package becomes the addon, and what is said where none does.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAddon } from '#lib/binding/load-addon';
import { testIf } from '../support/applies.js';
import { packageRoot, reportOf, runScript } from '../support/child.js';
import { temporaryFolder } from '../support/folders.js';
import { isBun, isDeno } from '../support/platform.js';

const { platform, arch } = process;
const prebuilt = join('prebuilds', `${platform}-${arch}`);
const compiled = join('build', 'Release', 'tripoll.node');
const ofLinux = testIf(platform === 'linux', 'only Linux has several C libraries');

/** As if it were the package's folder; each file is `text`, which no system takes for an addon. */
function fakePackage(...files: string[]): string {
  const root = temporaryFolder();
  writeFileSync(join(root, 'package.json'), '{ "name": "tripoll" }');
  for (const file of files) put(root, file);
  return root;
}

function put(root: string, file: string): string {
  mkdirSync(join(root, file, '..'), { recursive: true });
  writeFileSync(join(root, file), 'text');
  return join(root, file);
}

/** The start of a program whose dynamic linker is this. */
function fakeProgram(interpreter: string): string {
  const file = join(temporaryFolder(), 'program');
  writeFileSync(
    file,
    Buffer.concat([Buffer.alloc(800), Buffer.from(`${interpreter}\0`), Buffer.alloc(8000)]),
  );
  return file;
}

function failureOf(root: string, program?: string): Error & { code?: string } {
  try {
    loadAddon(root, program);
  } catch (error) {
    return error as Error;
  }
  throw new Error('it loaded something');
}

/** The files that the message lists, without the package's folder. */
function triedIn(root: string, message: string): string[] {
  return message
    .split('\n')
    .filter((line) => line.startsWith(`  ${root}`))
    .map((line) => line.slice(root.length + 3).replace(/: .*/, ''))
    .map((file) => file.replaceAll('\\', '/'));
}

ofLinux('the C library is the one that the program is linked to', () => {
  const root = fakePackage();
  for (const [interpreter, libraries] of [
    ['/lib/ld-musl-x86_64.so.1', ['musl']],
    ['/lib64/ld-linux-x86-64.so.2', ['glibc']],
    ['/lib/ld-linux-aarch64.so.1', ['glibc']],
    ['/nix/store/of/another/kind', ['glibc', 'musl']],
  ] as const) {
    const { message } = failureOf(root, fakeProgram(interpreter));
    expect(triedIn(root, message)).toEqual([
      'build/Release/tripoll.node',
      ...libraries.map((name) => `prebuilds/${platform}-${arch}/tripoll.${name}.node`),
    ]);
    expect(message.split('\n')[0]).toContain(
      libraries.length === 1 ? `with ${libraries[0]}` : 'with an unknown C library',
    );
  }
});

ofLinux('a program that cannot be read is of either C library', () => {
  const root = fakePackage();
  expect(triedIn(root, failureOf(root, '/nothing/here').message)).toHaveLength(3);
});

test('an error says where this is, what was tried and why not, and the command', () => {
  const root = fakePackage(compiled);
  const error = failureOf(root);
  // The system's words may take several lines (Deno's).
  const lines = error.message.split('\n');
  const [first, compiledLine] = lines;
  const [prebuiltLine, command] = lines.slice(-2);
  expect(error.code).toBe('ERR_TRIPOLL_NO_ADDON');
  expect(first).toContain(`${platform}-${arch}`);
  expect(first).toContain(process.version);
  // The system's own words, for what is there.
  expect(compiledLine).toMatch(/tripoll\.node: (?!not there)./);
  expect(prebuiltLine).toMatch(/: not there$/);
  expect(command).toContain('npx tripoll build');
  expect((error.cause as Error).message).not.toMatch(/Cannot find module/);
});

test('in a bundle the error says to leave the package out of it', () => {
  const error = failureOf(temporaryFolder());
  expect(error.message).toContain('external');
  expect(error.message).not.toContain('npx');
});

const isMusl = readFileSync(process.execPath).subarray(0, 4096).includes('/ld-musl-');
const ownPrebuild = join(prebuilt, `tripoll${platform !== 'linux' ? '' : isMusl ? '.musl' : '.glibc'}.node`);

/** What the tests of this run have loaded. */
function loadedFile(): string {
  const root = process.env['TRIPOLL_PREBUILD'] ?? packageRoot;
  return [compiled, ownPrebuild].map((file) => join(root, file)).find((file) => existsSync(file))!;
}

function putAddon(root: string, file: string): void {
  put(root, file);
  copyFileSync(loadedFile(), join(root, file));
}

const printsBackends = "console.log(JSON.stringify(require('tripoll').capabilities.backends.length > 0))";

test('what was compiled here comes first, and a prebuild where it cannot be loaded', async () => {
  const root = fakePackage();
  putAddon(root, ownPrebuild);
  const env = { TRIPOLL_PREBUILD: root };
  expect(reportOf(await runScript(printsBackends, { env }))).toBe(true);
  put(root, compiled);
  expect(reportOf(await runScript(printsBackends, { env }))).toBe(true);
  rmSync(join(root, prebuilt), { recursive: true });
  expect((await runScript(printsBackends, { env })).stderr).toContain('no compiled addon');
  putAddon(root, compiled);
  expect(reportOf(await runScript(printsBackends, { env }))).toBe(true);
});

testIf(!isBun && !isDeno, 'it is an option of Node’s')(
  'where addons are switched off the error says so, and no command',
  async () => {
    const { stderr } = await runScript(printsBackends, { nodeOptions: ['--no-addons'] });
    expect(stderr).toContain('--allow-addons');
    expect(stderr).not.toContain('npx');
  },
);

// V8's sandbox, which Electron has, refuses it. Here the addon calls something else by its name,
// which returns no napi_ok.
testIf(platform === 'linux', 'the name is replaced in an ELF file')(
  'a runtime that forbids external memory is refused by name',
  async () => {
    const root = fakePackage();
    const called = 'napi_create_external_arraybuffer\0';
    const text = readFileSync(loadedFile(), 'latin1');
    expect(text).toContain(called);
    put(root, compiled);
    const other = text.replaceAll(called, 'getpagesize\0'.padEnd(called.length, '\0'));
    writeFileSync(join(root, compiled), other, 'latin1');
    const script = `
      const { Reactor } = require('tripoll');
      const { listen, TcpStream } = require('tripoll/net');
      const thrown = (work) => { try { work(); } catch (error) { return error; } };
      (async () => {
        const errors = [
          thrown(() => new Reactor()),
          thrown(() => listen({ host: '127.0.0.1', port: 0 }, {})),
          await TcpStream.connect('127.0.0.1:9').catch((error) => error),
        ];
        console.log(JSON.stringify(errors.map((error) => error.code + ' ' + error.message)));
      })();`;
    const errors = reportOf(await runScript(script, { env: { TRIPOLL_PREBUILD: root } })) as string[];
    expect(errors).toHaveLength(3);
    for (const error of errors) expect(error).toMatch(/^ERR_TRIPOLL_UNSUPPORTED .*Electron/);
  },
);

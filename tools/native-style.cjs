'use strict';
// clang-format and clang-tidy over all C++ of the project.
//   node tools/native-style.cjs check    clang-format, changing nothing
//   node tools/native-style.cjs write    clang-format in place
//   node tools/native-style.cjs tidy     clang-tidy over the compile commands of both CMake builds
// Their output differs from version to version: 14, Debian 12's, is the one that decides.
const child = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { promisify } = require('node:util');

const { spawnSync } = child;
const execFile = promisify(child.execFile);
const root = path.join(__dirname, '..');

function find(tool) {
  const names = [`${tool}-14`, tool];
  return names.find((name) => spawnSync(name, ['--version']).status === 0);
}

function need(tool) {
  const found = find(tool);
  if (found !== undefined) return found;
  console.error(
    `${tool} was not found: C++ is not checked (Debian: apt-get install clang-format clang-tidy)`,
  );
  process.exit(process.env.CI ? 1 : 0); // in CI a check that did not run is no success
}

function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}

function nativeFiles() {
  const files = [];
  for (const folder of ['native', 'test/native', 'test/support', 'bench/native']) {
    if (!fs.existsSync(path.join(root, folder))) continue;
    for (const name of fs.readdirSync(path.join(root, folder), { recursive: true })) {
      if (/\.(cc|c|h)$/.test(name) && !/^build[/\\]/.test(name)) files.push(path.join(folder, name));
    }
  }
  return files;
}

async function tidy() {
  const clangTidy = need('clang-tidy');
  const cmakeJs = path.join(path.dirname(require.resolve('cmake-js/package.json')), 'bin/cmake-js');
  run(process.execPath, [cmakeJs, 'configure', '--out', 'build-cmake', '--log-level', 'error']);
  run('cmake', ['-S', '.', '-B', 'build-native', '-DTRIPOLL_NATIVE_TESTS=ON', '-DTRIPOLL_SANITIZE=']);
  const buildOf = new Map(); // file -> the build that tells its flags
  for (const build of ['build-cmake', 'build-native']) {
    const commands = JSON.parse(fs.readFileSync(path.join(root, build, 'compile_commands.json'), 'utf8'));
    for (const { file } of commands) if (!buildOf.has(file)) buildOf.set(file, build);
  }
  const queue = [...buildOf];
  const worker = async () => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const [file, build] = next;
      await execFile(clangTidy, ['--quiet', '-p', build, file], { cwd: root }).catch(({ stdout, stderr }) => {
        console.error(stdout, stderr);
        process.exitCode = 1;
      });
    }
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
  console.log(`clang-tidy: ${buildOf.size} files, ${process.exitCode === 1 ? 'with errors' : 'no errors'}`);
}

switch (process.argv[2]) {
  case 'check':
    run(need('clang-format'), ['--dry-run', '-Werror', ...nativeFiles()]);
    break;
  case 'write':
    run(need('clang-format'), ['-i', ...nativeFiles()]);
    break;
  case 'tidy':
    void tidy();
    break;
  default:
    console.error('usage: node tools/native-style.cjs check | write | tidy');
    process.exitCode = 2;
}

'use strict';
// An addon of its own under a sanitizer of GCC's, and Jest with it: what asan-tests.cjs and
// tsan-tests.cjs have in common.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { buildAddon, failed, isLoaded, root, runJest } = require('./legs.cjs');

/**
 * The sanitizers' libraries, which must be in the process before node's own; [] when the addon
 * carries none.
 */
function findRuntimes(addon) {
  const { stdout = '' } = spawnSync('ldd', [addon], { encoding: 'utf8' });
  return [...stdout.matchAll(/=> (\S*\/lib(?:asan|ubsan|tsan)\.so\S*)/g)].map(([, file]) => file);
}

/**
 * A report fails the run even where no test looks at how its child ended. Returns how many there
 * are.
 */
function showReports(reports, isOurs) {
  const files = fs.existsSync(reports) ? fs.readdirSync(reports) : [];
  const all = files.flatMap((file) =>
    fs
      .readFileSync(path.join(reports, file), 'utf8')
      .split(/^={18}$/m)
      .filter((report) => report.trim() !== '' && isOurs(report))
      .map((report) => `\n${file}\n${report}`),
  );
  for (const report of all) console.error(report);
  return all.length;
}

/**
 * Jest's leg, by an addon that is built into `build`. `toEnv` gives the sanitizers' options, whose
 * reports go to the file name that it is given; `isOurs` says of a report whether it counts.
 */
function runSanitized({ build, sanitizers, library, toEnv, patterns, isOurs = () => true }) {
  const folder = path.join(root, build);
  const addon = path.join(folder, 'build/Release/tripoll.node');
  const reports = path.join(folder, 'reports');
  fs.rmSync(reports, { recursive: true, force: true });
  fs.mkdirSync(reports, { recursive: true });
  if (!buildAddon(build, `TRIPOLL_SANITIZE=${sanitizers}`)) return failed('addon');
  const runtimes = findRuntimes(addon);
  const env = {
    ...process.env,
    LD_PRELOAD: runtimes.join(':'),
    TRIPOLL_PREBUILD: folder,
    ...toEnv(path.join(reports, 'report')),
  };
  if (runtimes.length === 0 || !isLoaded(env, addon, `maps.includes('${library}')`))
    return failed(
      'addon',
      'the addon is not sanitized, or Node does not load it: see findRuntimes in tools/sanitizers.cjs',
    );
  const leg = runJest(path.join(folder, 'jest.json'), ['--testTimeout=90000', ...patterns], env);
  return { ...leg, name: 'addon', failed: leg.failed + showReports(reports, isOurs) };
}

module.exports = { runSanitized };

'use strict';
// What a release is made of, in CHANGELOG.md's words:
//   npm run release -- prepare 0.2.0   what is unreleased becomes that version's section, and the
//                                      version that of the package; commit and tag it
//   npm run release -- check           whether the package can be published as it is; npm asks too
//   npm run release -- notes           the version's section
// The workflow release.yml publishes what was tagged, and by hand does all but that.
const fs = require('node:fs');
const path = require('node:path');
const { missingPrebuilds } = require('./cross/all-there.cjs');

/** Where the tests have a copy. */
const root = path.resolve(process.env.TRIPOLL_RELEASE_ROOT || path.join(__dirname, '..'));
const UNRELEASED = 'Unreleased';

const read = (name) => fs.readFileSync(path.join(root, name), 'utf8');
const write = (name, text) => fs.writeFileSync(path.join(root, name), text);
const versionOf = (name) => JSON.parse(read(name)).version;

/** Its text, without the heading; undefined where there is none. */
function sectionOf(title) {
  const sections = read('CHANGELOG.md').split(/^## /m).slice(1);
  const found = sections.find((section) => section.split(/[\s(]/, 1)[0] === title);
  return found?.slice(found.indexOf('\n')).trim();
}

function prepare(version) {
  const format = /^\d+\.\d+\.\d+(-[\da-z.-]+)?$/;
  if (version === undefined || !format.test(version)) throw new Error('usage: prepare MAJOR.MINOR.PATCH');
  if (!sectionOf(UNRELEASED)) throw new Error('CHANGELOG.md has nothing that is unreleased');
  if (sectionOf(version) !== undefined) throw new Error(`CHANGELOG.md has ${version} already`);
  const today = new Date().toISOString().slice(0, 10);
  const heading = `## ${UNRELEASED}\n`;
  write('CHANGELOG.md', read('CHANGELOG.md').replace(heading, `${heading}\n## ${version} (${today})\n`));
  const before = versionOf('package.json');
  for (const name of ['package.json', 'package-lock.json']) {
    // The first of a package's own, and in the lock file that of packages[''] too.
    const [most, pattern] = [name === 'package.json' ? 1 : 2, `"version": "${before}"`];
    let text = read(name);
    for (let i = 0; i < most; i++) text = text.replace(pattern, `"version": "${version}"`);
    write(name, text);
  }
}

/** What keeps it from being published. */
function complaints() {
  const version = versionOf('package.json');
  const found = [];
  if (versionOf('package-lock.json') !== version) found.push(`package-lock.json is not of ${version}`);
  if (!sectionOf(version)) found.push(`CHANGELOG.md says nothing of ${version}: npm run release -- prepare`);
  if (sectionOf(UNRELEASED)) found.push('CHANGELOG.md has what is unreleased: npm run release -- prepare');
  const { GITHUB_REF_TYPE: type, GITHUB_REF_NAME: tag } = process.env;
  if (type === 'tag' && tag !== `v${version}`) found.push(`the tag is ${tag}, the version ${version}`);
  const missing = missingPrebuilds(path.join(root, 'prebuilds'));
  if (missing.length > 0) found.push(`prebuilds/ lacks ${missing.join(', ')}: npm run prebuild:all`);
  return found;
}

function main([command, ...args]) {
  if (command === 'prepare') prepare(args[0]);
  else if (command === 'notes') console.log(sectionOf(versionOf('package.json')) ?? '');
  else if (command === 'check') {
    const found = complaints();
    if (found.length > 0) throw new Error(found.join('\n'));
  } else throw new Error('usage: prepare VERSION, check, or notes');
}

try {
  main(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

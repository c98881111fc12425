'use strict';
// A table of docs/portability.md that a tool writes, between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
const fs = require('node:fs');
const path = require('node:path');

const page = path.join(__dirname, '../docs/portability.md');

const toLine = (cells) => `| ${cells.join(' | ')} |`;

/** Writes the rows, of which the first is the head; with --check it only says whether they are there. */
function putTable(name, [head, ...rows], tool) {
  const table = [head, head.map(() => '---'), ...rows].map(toLine).join('\n');
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const before = fs.readFileSync(page, 'utf8');
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no ${begin} and ${end}`);
  const after = `${before.slice(0, from + begin.length)}\n\n${table}\n\n${before.slice(to)}`;
  if (!process.argv.includes('--check')) fs.writeFileSync(page, after);
  else if (after !== before) {
    console.error(`docs/portability.md is not what ${tool} writes: run it`);
    process.exitCode = 1;
  }
}

module.exports = { putTable };

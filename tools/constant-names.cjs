'use strict';
// Writes lib/binding/constant-names.ts, the types of `sys.constants` and `sys.errno`, from the tables in native/: they are
// the only list. With --check it only says whether the file is as it would be written. `npm test` checks it, and that
// native code exports these names and no others.
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const target = path.join(root, 'lib/binding/constant-names.ts');
const WIDTH = 100;

/** Which tables a platform's addon exports. */
const CONSTANTS = {
  linux: ['native/linux/constants.cc', 'native/unix/terminal_constants.cc'],
  bsd: ['native/bsd/constants.cc', 'native/bsd/kqueue_constants.cc', 'native/unix/terminal_constants.cc'],
  windows: ['native/windows/constants.cc'],
};
const ERRNOS = {
  linux: ['native/unix/errnos.cc'],
  bsd: ['native/unix/errnos.cc'],
  windows: ['native/windows/constants.cc'],
};

/** The names of the tables in these files, with whether each is there whatever the headers are. */
function readTables(files, table) {
  const names = new Map();
  for (const file of files) {
    let [depth, inside] = [0, false];
    for (const line of fs.readFileSync(path.join(root, file), 'utf8').split('\n')) {
      if (table.test(line)) inside = true;
      else if (/^};/.test(line)) inside = false;
      else if (/^#if/.test(line)) depth++;
      else if (/^#endif/.test(line)) depth--;
      const [, name] = /^\s*\{"(\w+)",/.exec(line) ?? [];
      if (inside && name !== undefined) names.set(name, (names.get(name) ?? false) || depth === 0);
    }
  }
  return names;
}

/** Per platform, name -> whether that platform always has it. */
function readNames(lists, table) {
  return Object.fromEntries(Object.entries(lists).map(([name, files]) => [name, readTables(files, table)]));
}

const constantNames = () => readNames(CONSTANTS, /Constant k(Kqueue|Terminal)?Constants\[\]/);
const errnoNames = () => readNames(ERRNOS, /Constant kErrnos\[\]/);

/** A union of names, as many a line as fit. */
function union(type, names) {
  const lines = [];
  for (const name of [...names].sort()) {
    const item = ` | '${name}'`;
    if (lines.length === 0 || lines.at(-1).length + item.length > WIDTH) lines.push(` ${item}`);
    else lines[lines.length - 1] += item;
  }
  const [, kind, platform] = /^(\w+?)(Everywhere|Of\w+)$/.exec(type);
  const where =
    platform === 'Everywhere' ? 'what every platform has' : `what ${platform.slice(2)} has beside that`;
  const comment = `/** Of \`${kind}Name\`: ${where}. */`;
  return [comment, '// prettier-ignore', `type ${type} =`, `${lines.join('\n')};`, ''];
}

/** The unions of one table: what every platform has, and what each of them has beside it. */
function unions(prefix, platforms) {
  const all = Object.values(platforms);
  const everywhere = [...all[0].keys()].filter((name) => all.every((names) => names.get(name) === true));
  const rest = Object.entries(platforms).map(([platform, names]) => [
    `${prefix}Of${platform[0].toUpperCase()}${platform.slice(1)}`,
    [...names.keys()].filter((name) => !everywhere.includes(name)),
  ]);
  const text = [
    ...union(`${prefix}Everywhere`, everywhere),
    ...rest.flatMap(([type, names]) => union(type, names)),
  ];
  return { text, elsewhere: rest.map(([type]) => type).join(' | ') };
}

function render() {
  const constants = unions('Constant', constantNames());
  const errnos = unions('Errno', errnoNames());
  return [
    '// Written by tools/constant-names.cjs from the tables in native/: change those, and run it.',
    '',
    ...constants.text,
    ...errnos.text,
    '/** A name of `sys.constants`, of whatever platform. */',
    `export type ConstantName = ConstantEverywhere | ${constants.elsewhere};`,
    '',
    '/** A name of `sys.errno`, of whatever platform. */',
    `export type ErrnoName = ErrnoEverywhere | ${errnos.elsewhere};`,
    '',
    "/** Constants by name: a number where every platform has it, undefined where this one's headers may lack it. */",
    'export type Constants = { readonly [Name in ConstantEverywhere]: number } & {',
    '  readonly [Name in Exclude<ConstantName, ConstantEverywhere>]?: number;',
    '};',
    '',
    '/** Positive errno values by name, in the same way. */',
    'export type Errnos = { readonly [Name in ErrnoEverywhere]: number } & {',
    '  readonly [Name in Exclude<ErrnoName, ErrnoEverywhere>]?: number;',
    '};',
    '',
  ].join('\n');
}

function main() {
  const text = render();
  if (!process.argv.includes('--check')) fs.writeFileSync(target, text);
  else if (!fs.existsSync(target) || fs.readFileSync(target, 'utf8') !== text) {
    console.error('lib/binding/constant-names.ts is not as native/ has it: node tools/constant-names.cjs');
    process.exitCode = 1;
  }
}

module.exports = { constantNames, errnoNames };

if (require.main === module) main();

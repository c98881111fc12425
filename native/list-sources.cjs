'use strict';
// Prints the addon's sources for one OS, a line each: binding.gyp and CMakeLists.txt both read this one list.
const lists = require('./sources.json');
const folders = { linux: ['unix', 'linux'] };
const os = process.argv[2];
if (folders[os] === undefined) {
  console.error(`tripoll: no sources for the OS "${os}" yet; there are sources for: ${Object.keys(folders).join(', ')}`);
  process.exit(1);
}
for (const list of ['common', ...folders[os]]) console.log(lists[list].join('\n'));

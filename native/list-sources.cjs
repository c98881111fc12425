'use strict';
// Prints the addon's sources for one OS, a line each, for binding.gyp in this folder.
// CMakeLists.txt reads the same sources.json itself.
const lists = require('./sources.json');
const os = process.argv[2];
const folders = lists.folders[os];
if (folders === undefined) {
  const known = Object.keys(lists.folders).join(', ');
  console.error(`tripoll: no sources for the OS "${os}" yet; there are sources for: ${known}`);
  process.exit(1);
}
for (const file of folders.flatMap((folder) => lists[folder])) console.log(file.replace(/^native\//, ''));

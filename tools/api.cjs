'use strict';
// `npm run api`: whether the public surface is what docs/api/ says, one report per entry of the
// package, by API Extractor over the published declarations; and whether each public member has a
// docstring. `npm run api -- --local` writes the reports anew, for the review of what changed.
const fs = require('node:fs');
const path = require('node:path');
const { Extractor, ExtractorConfig } = require('@microsoft/api-extractor');
const { exports: entries } = require('../package.json');

const root = path.join(__dirname, '..');
const isLocal = process.argv.includes('--local');
const folder = path.join(root, 'docs/api');

const none = { logLevel: 'none' };
const error = { logLevel: 'error' };

function configOf(name, declarations) {
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: declarations,
      compiler: { tsconfigFilePath: path.join(root, 'test/types/tsconfig.json') },
      apiReport: {
        enabled: true,
        reportFileName: name,
        reportFolder: folder,
        reportTempFolder: path.join(root, 'out/api'),
        // The classes that the exported ones extend: their members are public.
        includeForgottenExports: true,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        compilerMessageReporting: { default: error },
        extractorMessageReporting: {
          default: error,
          // All is public; what is not has been cut out of the declarations
          // (tools/public-types.cjs).
          'ae-missing-release-tag': none,
          // An entry uses types of another, and base classes that nobody names.
          'ae-forgotten-export': none,
        },
        // Our @throws and @param are sentences for people and editors.
        tsdocMessageReporting: { default: none },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: path.join(root, 'package.json'),
  });
}

fs.mkdirSync(folder, { recursive: true });
let ok = true;
for (const [entry, target] of Object.entries(entries)) {
  if (typeof target !== 'object') continue;
  const name = `tripoll${entry.slice(1).replaceAll('/', '-')}`;
  const config = configOf(name, path.join(root, target.require.types));
  const result = Extractor.invoke(config, {
    localBuild: isLocal,
    messageCallback(message) {
      if (message.messageId.startsWith('console-') && message.logLevel === 'verbose') message.handled = true;
    },
  });
  ok &&= result.succeeded;
}
process.exitCode = ok ? 0 : 1;

'use strict';
// `npm run docs`: the pages and the docstrings as one static site, in out/site. VitePress lays out the
// pages as they are in the repository, TypeDoc writes one page for each import of the package. They
// come from npm, by the lock file beside this one, into .cache (TRIPOLL_CACHE). A link that leads
// nowhere ends it with an error.
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { URL } = require('node:url');
const { install, root } = require('../legs.cjs');

const stage = path.join(root, 'out/site-pages');
const site = path.join(root, 'out/site');

/** The repository's pages that belong to the site, by their paths. */
function pages() {
  const inFolder = (folder) =>
    fs
      .readdirSync(path.join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => path.posix.join(folder, name));
  const alone = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', 'bench/README.md'];
  return [...alone, ...['docs', 'docs/guide', 'docs/coming-from'].flatMap(inFolder)];
}

/** What VitePress would take for its own: names in angle brackets outside of code, and {{ }}. */
function escapeMarkup(text) {
  return text
    .split(/(^```[^]*?^```$|`[^`]*`)/m)
    .map((part, index) => (index % 2 === 1 ? part : part.replace(/<(?![!/]|https?:)/g, '&lt;')))
    .join('');
}

/** Links to what is no page, a source file say, become its name. */
function withoutSources(text, page, known) {
  return text.replace(
    /(!?)\[([^\]]*)\]\((?!https?:)([^)#\s]+)(#[^)\s]*)?\)/g,
    (all, image, label, target) => {
      const wanted = path.posix.join(path.posix.dirname(page), target);
      if (image !== '' || known.has(wanted)) return all;
      return label.startsWith('`') || label.includes(' ') ? label : `\`${label}\``;
    },
  );
}

function stagePages() {
  fs.rmSync(stage, { recursive: true, force: true });
  const names = pages();
  const known = new Set(names);
  for (const page of names) {
    const text = fs.readFileSync(path.join(root, page), 'utf8');
    const file = path.join(stage, page === 'README.md' ? 'index.md' : page);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const linked = withoutSources(text, page, known).replace(/\]\(((?:\.\.\/)+)README\.md/g, ']($1index.md');
    fs.writeFileSync(file, escapeMarkup(linked));
  }
  for (const image of fs.readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.svg')))
    fs.copyFileSync(path.join(root, 'docs', image), path.join(stage, 'docs', image));
}

/** As package.json exports them: `tripoll/net` is lib/net/index.ts. */
function entryPoints() {
  const { exports: all } = require('../../package.json');
  return Object.entries(all)
    .filter(([, target]) => typeof target === 'object')
    .map(([name, { require: built }]) => ({
      name: path.posix.join('tripoll', name),
      file: path.join(root, built.default.replace('./dist/', 'lib/').replace(/\.js$/, '.ts')),
    }));
}

async function writeReference(modules) {
  const { Application } = await import(path.join(modules, 'typedoc/dist/index.js'));
  const application = await Application.bootstrapWithPlugins(
    {
      entryPoints: entryPoints().map(({ file }) => file),
      tsconfig: path.join(root, 'lib/tsconfig.json'),
      plugin: [path.join(modules, 'typedoc-plugin-markdown/dist/index.js')],
      ...{ excludeInternal: true, excludePrivate: true, readme: 'none', disableSources: true },
      ...{ logLevel: 'Error', skipErrorChecking: true, githubPages: false },
      outputs: [{ name: 'markdown', path: path.join(stage, 'reference') }],
      ...{
        outputFileStrategy: 'modules',
        entryFileName: 'index',
        name: 'Reference',
        useHTMLAnchors: true,
        hideBreadcrumbs: true,
        hidePageHeader: true,
      },
    },
    [],
  );
  const project = await application.convert();
  if (project === undefined) throw new Error('TypeDoc read no module');
  // Named as they are imported.
  const names = new Map(entryPoints().map(({ name, file }) => [file, name]));
  for (const module of project.children ?? []) {
    const file = project.files.getReflectionPath(module) ?? '';
    module.name = names.get(file) ?? module.name;
  }
  await application.generateOutputs(project);
}

/** All files of the site, by their paths in it. */
function siteFiles() {
  return fs
    .readdirSync(site, { recursive: true })
    .map((name) => `${name}`.replaceAll(path.sep, '/'))
    .filter((name) => fs.statSync(path.join(site, name)).isFile());
}

/** Links of pages whose file or heading is not there: VitePress looks for files alone. */
function deadLinks() {
  const texts = new Map(
    siteFiles().map((name) => [
      name,
      name.endsWith('.html') ? fs.readFileSync(path.join(site, name), 'utf8') : '',
    ]),
  );
  const dead = [];
  for (const [page, text] of texts) {
    for (const [, link] of text.matchAll(/(?:href|src)="([^"]*)"/g)) {
      const { origin, pathname, hash } = new URL(link.replaceAll('&amp;', '&'), `http://site/${page}`);
      if (origin !== 'http://site') continue;
      const file = decodeURIComponent(pathname.slice(1)).replace(/(^|\/)$/, '$1index.html');
      const target = texts.get(file);
      const anchor = decodeURIComponent(hash.slice(1));
      if (target === undefined || (anchor !== '' && !target.includes(`id="${anchor}"`)))
        dead.push(`${page}: ${link}`);
    }
  }
  return dead;
}

async function main() {
  const modules = install('docs', __dirname);
  stagePages();
  await writeReference(modules);
  fs.rmSync(site, { recursive: true, force: true });
  const vitepress = path.join(modules, 'vitepress/bin/vitepress.js');
  const folder = path.join(modules, '../site');
  // VitePress finds its own packages from its configuration's place.
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(path.join(folder, '.vitepress'), { recursive: true });
  fs.copyFileSync(path.join(__dirname, 'config.mjs'), path.join(folder, '.vitepress/config.mjs'));
  const env = { ...process.env, TRIPOLL_PAGES: stage, TRIPOLL_SITE: site };
  const { status } = spawnSync(process.execPath, [vitepress, 'build', folder], { stdio: 'inherit', env });
  if (status !== 0) process.exit(1);
  const dead = deadLinks();
  for (const link of dead) console.error(`leads nowhere: ${link}`);
  if (dead.length > 0) process.exit(1);
  console.log(`the site is in ${path.relative(root, site)}`);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

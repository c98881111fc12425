// Of VitePress. The pages are staged by build.cjs, which says where.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const pages = process.env.TRIPOLL_PAGES;

/** As its first heading says. */
function entry(page) {
  const title = /^# (.+)$/m.exec(readFileSync(join(pages, page), 'utf8'))?.[1] ?? page;
  return { text: title.replaceAll('`', ''), link: `/${page.replace(/\.md$/, '')}` };
}

function entriesOf(folder) {
  const names = readdirSync(join(pages, folder)).filter((name) => name.endsWith('.md'));
  const byNumber = new Intl.Collator('en', { numeric: true }).compare;
  return names.sort(byNumber).map((name) => entry(`${folder}/${name}`));
}

/** Each import by its own name. */
function reference() {
  const names = readdirSync(join(pages, 'reference'), { recursive: true }).map((name) => `${name}`);
  return names
    .filter((name) => name.endsWith('.md') && name !== 'index.md')
    .sort()
    .map((name) => ({ text: name.slice(0, -3), link: `/reference/${name.slice(0, -3)}` }));
}

const sidebar = [
  { text: 'Guide', items: entriesOf('docs/guide') },
  { text: 'Coming from', collapsed: true, items: entriesOf('docs/coming-from') },
  { text: 'Reference', collapsed: true, items: reference() },
  { text: 'More', collapsed: true, items: entriesOf('docs') },
  {
    text: 'The project',
    collapsed: true,
    items: ['bench/README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md'].map(entry),
  },
];

export default {
  title: 'tripoll',
  description: 'epoll, kqueue and IOCP for Node.js, with a reactor in TypeScript on top',
  srcDir: pages,
  outDir: process.env.TRIPOLL_SITE,
  cleanUrls: false,
  themeConfig: {
    sidebar,
    nav: [
      { text: 'Guide', link: '/docs/guide/1-the-pattern' },
      { text: 'Reference', link: '/reference/' },
      { text: 'Figures', link: '/bench/README' },
    ],
    search: { provider: 'local' },
    outline: { level: [2, 3] },
  },
  // As GitHub does, for which the links in the pages are written.
  markdown: {
    anchor: {
      slugify: (heading) =>
        heading
          .trim()
          .toLowerCase()
          .replace(/[^\p{L}\p{N}\s_-]/gu, '')
          .replace(/\s/g, '-'),
    },
  },
};

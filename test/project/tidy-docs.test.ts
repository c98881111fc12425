// The pages that people read: their form, and that the files which they name are there.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../support/child.js';
import { lineOf, sources, tree, withoutComments, type SourceFile } from '../support/source-tree.js';

const lib = sources('lib', /\.m?ts$/);
const native = sources('native', /\.(cc|h)$/);
/** The reports in docs/api are generated. */
const pages = tree.filter(({ path }) => /^(bench\/|docs\/(guide\/|coming-from\/)?)?[\w-]+\.md$/.test(path));

function expectNone(violations: readonly string[]): void {
  expect(violations.join('\n')).toBe('');
}

function pageOf(path: string): SourceFile {
  const page = pages.find((file) => file.path === path);
  if (page === undefined) throw new Error(`there is no ${path}`);
  return page;
}

describe('pages', () => {
  const maxColumns = 100;
  /** Of what a newcomer reads first. */
  const maxLines = { 'README.md': 200, 'docs/architecture.md': 200 };

  test('those that a newcomer looks for are there', () => {
    const names = ['README', 'CONTRIBUTING', 'CHANGELOG', 'SECURITY', 'bench/README'];
    const docs = [
      'architecture',
      'backends',
      'decisions',
      'dependencies',
      'glossary',
      'iocp',
      'lifetimes',
      'sockets',
    ];
    const expected = [...names, ...[...docs, 'portability', 'traps'].map((name) => `docs/${name}`)];
    expect(pages.map(({ path }) => path)).toEqual(
      expect.arrayContaining(expected.map((name) => `${name}.md`)),
    );
  });

  test.each(Object.entries(maxLines))('%s has at most %d lines', (path, most) => {
    const lines = pageOf(path).text.trimEnd().split('\n').length;
    expect(lines).toBeLessThanOrEqual(most);
  });

  test(`no line is wider than ${maxColumns} columns, but for tables and lone links`, () => {
    expectNone(
      pages.flatMap(({ path, text }) =>
        text.split('\n').flatMap((line, index) => {
          const mayBeWide = /^\s*(\||\S+$)/.test(line);
          if (mayBeWide || line.length <= maxColumns) return [];
          return [`${path}:${index + 1}: ${line.length} columns, at most ${maxColumns}: break it`];
        }),
      ),
    );
  });

  /** As GitHub makes them. */
  function anchorsOf({ text }: SourceFile): Set<string> {
    const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!);
    return new Set(
      headings.map((heading) =>
        heading
          .toLowerCase()
          .replace(/[^\p{L}\p{N}\s_-]/gu, '')
          .replace(/\s/g, '-'),
      ),
    );
  }

  const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1);

  /** `docs/` and `../lib/x.ts` are `lib/x.ts`. */
  function resolve(folder: string, target: string): string {
    return new URL(target, `file:///${folder}`).pathname.slice(1);
  }

  test('each link leads somewhere', () => {
    expectNone(
      pages.flatMap((page) =>
        [...page.text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].flatMap(
          ({ 1: target, 2: anchor, index }) => {
            const at = `${page.path}:${lineOf(page.text, index)}:`;
            const path = target === '' ? page.path : resolve(folderOf(page.path), target!);
            const isFolder = path.endsWith('/') && tree.some((file) => file.path.startsWith(path));
            const file = tree.find((candidate) => candidate.path === path);
            if (file === undefined && !isFolder && !existsSync(join(packageRoot, path)))
              return [`${at} there is no ${path}`];
            if (anchor === undefined || file === undefined || anchorsOf(file).has(anchor)) return [];
            return [`${at} ${path} has no heading #${anchor}`];
          },
        ),
      ),
    );
  });

  /**
   * A file in backticks, and what is in it: `lib/reactor/dispatcher.ts:deliver`. What is built or
   * fetched has none.
   */
  const inBackticks = /`((?:[\w.-]+\/)*\w[\w.-]*\.(?:[mc]?ts|cc|h|cjs|json|md|yml|gyp))(?::([#~\w:]+))?`/g;
  const generated = /^(dist|out|build|node_modules|\.cache)\/|^(package-lock|compile_commands)\.json$/;

  test('each file that is named is there, and what is said to be in it', () => {
    // Traps have a stricter test below.
    expectNone(
      pages
        .filter(({ path }) => path !== 'docs/traps.md')
        .flatMap((page) =>
          [...page.text.matchAll(inBackticks)].flatMap(({ 1: name, 2: symbol, index }) => {
            if (generated.test(name!)) return [];
            const at = `${page.path}:${lineOf(page.text, index)}:`;
            const candidates = tree.filter(({ path }) => path === name || path.endsWith(`/${name!}`));
            if (candidates.length === 0) return [`${at} there is no ${name!}`];
            const wanted = symbol?.split(/[:.]+/).at(-1);
            if (wanted === undefined || candidates.some(({ text }) => text.includes(wanted))) return [];
            return [`${at} there is no ${wanted} in ${name!}`];
          }),
        ),
    );
  });
});

describe('docs/traps.md', () => {
  const traps = pageOf('docs/traps.md');
  const sections = [...traps.text.matchAll(/^## (T\d{2,3}) (\S.*)\n([^]*?)(?=^#|(?![^]))/gm)].map(
    ({ 1: number, 3: body, index }) => ({ number: number!, body: body!, line: lineOf(traps.text, index) }),
  );
  const at = ({ number, line }: { number: string; line: number }): string =>
    `docs/traps.md:${line}: ${number}`;

  /** The paragraph, or the paragraph and its list, that begins with `**name:**`. */
  function field(body: string, name: string): string {
    const found = new RegExp(`^\\*\\*${name}:\\*\\*([^]*?)(?=\\n\\n(?!- )|\\n*(?![^]))`, 'm').exec(body);
    return found?.[1]?.trim() ?? '';
  }

  const namedFiles = (text: string): { name: string; symbol: string | undefined }[] =>
    [...text.matchAll(/`([\w/.*-]+\.(?:ts|cc|h))(?::([#\w]+))?`/g)].map(([, name, symbol]) => ({
      name: name!,
      symbol,
    }));

  test('it has a section for each trap that is cited, and each number once', () => {
    expect(sections.length).toBeGreaterThan(55);
    const numbers = new Set(sections.map(({ number }) => number));
    expect(numbers.size).toBe(sections.length);
    expect(sections.length).toBe([...traps.text.matchAll(/^## /gm)].length);
    const cited = tree
      .filter(({ path }) => /^(lib|native|test|bench|examples)\//.test(path))
      .flatMap(({ path, text }) =>
        [...text.matchAll(/\b(T\d{2,3})(?=\b|_)/g)].map(([, number]) => ({ path, number: number! })),
      );
    expectNone(
      cited
        .filter(({ number }) => !numbers.has(number))
        .map(({ path, number }) => `${path}: ${number} has no section in docs/traps.md`),
    );
  });

  test('each says what happens, what guards, which test shows it, and how far that holds', () => {
    expectNone(
      sections.flatMap((section) => {
        const fields = [
          field(section.body, 'Guard'),
          field(section.body, 'Tests?'),
          field(section.body, 'Status'),
        ];
        const hasText = /^\n*[^\s*#-]/.test(section.body);
        if (hasText && fields.every((text) => text !== '')) return [];
        return [`${at(section)}: a sentence or more, then **Guard:**, **Test:** or **Tests:**, **Status:**`];
      }),
    );
  });

  test('a guard that it names is there', () => {
    const guards = [...lib, ...native];
    expectNone(
      sections.flatMap((section) => {
        const guard = field(section.body, 'Guard');
        const files = namedFiles(guard).flatMap(({ name, symbol }) => {
          const file = guards.find(({ path }) => path === name);
          if (file === undefined) return [`${at(section)}: there is no ${name}: say where its guard is now`];
          if (symbol === undefined || file.text.includes(symbol)) return [];
          return [`${at(section)}: there is no ${symbol} in ${name}: say where its guard is now`];
        });
        // Further names after a file's, and methods of C++ by their class.
        const names = [...guard.matchAll(/`(#?\w+(?:(?:::|\.)\w+)?)`/g)].flatMap(([, name]) => {
          const wanted = name!.replace('.', '::').split('::').at(-1)!;
          if (
            guards.some(
              ({ text }) => text.includes(name!) || (!name!.includes('::') && text.includes(wanted)),
            )
          )
            return [];
          return [`${at(section)}: there is no ${name!}: say where its guard is now`];
        });
        return [...files, ...names];
      }),
    );
  });

  test('a test that it claims has the trap’s number in its name', () => {
    const tests = sources('test', /\.(ts|cc)$/);
    expectNone(
      sections.flatMap((section) => {
        const { number, body } = section;
        const claimed = namedFiles(field(body, 'Tests?'));
        const isGuarded = field(body, 'Status').startsWith('guarded');
        if (isGuarded && claimed.length === 0)
          return [`${at(section)}: guarded, but by no test: name its file, or call it untested`];
        // In a string, or as TEST(T07_name) in C++.
        const named = new RegExp(`(['"\`]|\\bTEST\\()[^\\n]*\\b${number}(?!\\d)`);
        return claimed.flatMap(({ name }) => {
          const file = tests.find(({ path }) => path === name);
          if (file === undefined) return [`${at(section)}: there is no ${name}`];
          if (!isGuarded || named.test(withoutComments(file))) return [];
          return [
            `${at(section)}: no test in ${name} has it in its name: write that test, or correct the page`,
          ];
        });
      }),
    );
  });

  test('a test’s name, as far as it is written out, is in its file', () => {
    const tests = sources('test', /\.(ts|cc)$/);
    expectNone(
      sections.flatMap((section) => {
        const items = field(section.body, 'Tests?')
          .replace(/\s*\n(?!- )\s*/g, ' ')
          .split(/^- /m);
        return items.flatMap((item) => {
          const files = namedFiles(item).map(
            ({ name }) => tests.find(({ path }) => path === name)?.text ?? '',
          );
          // To the first comma: what follows may be a part of the name, or another name.
          const names = [...item.matchAll(/(?<=[:;,] )((?:[TF]\d{2,3} )*T\d{2,3}[ _][^;,…]*)/g)].map(
            ([, name]) => name!.trim(),
          );
          return names
            .filter((name) => !files.some((text) => text.includes(name)))
            .map((name) => `${at(section)}: no test is named '${name}': correct the page`);
        });
      }),
    );
  });
});

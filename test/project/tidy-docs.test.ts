// The pages that people read: their form, and that the files which they name are there.
import { lineOf, sources, tree, withoutComments, type SourceFile } from '../support/source-tree.js';

const lib = sources('lib', /\.m?ts$/);
const native = sources('native', /\.(cc|h)$/);
/** The reports in docs/api are generated. */
const pages = tree.filter(({ path }) => /^(bench\/|docs\/)?[\w-]+\.md$/.test(path));

function expectNone(violations: readonly string[]): void {
  expect(violations.join('\n')).toBe('');
}

function pageOf(path: string): SourceFile {
  const page = pages.find((file) => file.path === path);
  if (page === undefined) throw new Error(`there is no ${path}`);
  return page;
}

describe('docs/traps.md', () => {
  const traps = pageOf('docs/traps.md');
  const sections = [...traps.text.matchAll(/^## (T\d\d) (\S.*)\n([^]*?)(?=^#|(?![^]))/gm)].map(
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
        [...text.matchAll(/\b(T\d\d)(?=\b|_)/g)].map(([, number]) => ({ path, number: number! })),
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
});

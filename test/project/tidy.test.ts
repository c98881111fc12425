// Style as a test, and as a ratchet: what an exception allows may shrink, and must not grow. (That
// sources.json names every native source once is in build-files.test.ts.)
import { functionsOf, importsOf, matches, sources, tree, withoutComments } from '../support/source-tree.js';

const lib = sources('lib', /\.m?ts$/);
const native = sources('native', /\.(cc|h)$/);
const written = tree.filter((file) => !file.path.endsWith('.md'));

function expectNone(violations: readonly string[]): void {
  expect(violations.join('\n')).toBe('');
}

describe('files', () => {
  test('no dead files: every file of lib is reached from an entry of the package', () => {
    // And from the command.
    const entries = tree.filter(({ path }) => /^(package\.json|bin\/\w+\.cjs)$/.test(path));
    const reached = new Set(
      entries.flatMap(({ text }) =>
        [...text.matchAll(/["']\.\.?\/dist\/([\w/]+)\.(m?)js["']/g)].map(
          ([, name, m]) => `lib/${name}.${m}ts`,
        ),
      ),
    );
    expect(reached.size).toBeGreaterThan(2);
    const byPath = new Map(lib.map((file) => [file.path, file]));
    for (const path of reached) {
      const file = byPath.get(path);
      if (file !== undefined) for (const { target } of importsOf(file)) reached.add(target);
    }
    expectNone(
      lib
        .filter(({ path }) => !reached.has(path))
        .map(({ path }) => `${path}: no entry leads here: export it from its layer's entry, or delete it`),
    );
  });
});

describe('the platform is chosen in one place', () => {
  test('only lib/binding asks which system or runtime this is', () => {
    const questions = [
      /\bprocess\s*\??\.\s*(platform|versions|version|arch|release)\b/g,
      /\bprocess\s*\[\s*['"`](platform|versions|version|arch|release)\b/g,
      /\{[^{}]*\b(platform|versions|arch)\b[^{}]*\}\s*=\s*process\b/g,
      /['"](node:)?os['"]/g,
      /\bglobalThis\s*\??\.\s*(Bun|Deno)\b/g,
    ];
    const advice = 'ask `capabilities` (lib/binding) instead; what it does not know yet, it learns there';
    expectNone(
      lib
        .filter(({ path }) => !path.startsWith('lib/binding/'))
        .flatMap((file) => {
          const code = withoutComments(file);
          return questions.flatMap((question) => matches(file, question, advice, code));
        }),
    );
  });

  test('no #if on a system outside the folder of one', () => {
    const system =
      /^[ \t]*#[ \t]*(?:el)?if[^\n]*\b(_*(linux|APPLE|MACH|unix|FreeBSD|OpenBSD|NetBSD|DragonFly|sun|CYGWIN|MINGW32|ANDROID)_*|_?WIN(32|64)|_MSC_VER)\b/gm;
    const advice = 'move this into native/linux, bsd or windows, behind a function that each of them has';
    expectNone(
      native
        .filter(({ path }) => !/^native\/(linux|bsd|windows)\//.test(path))
        .flatMap((file) => matches(file, system, advice, withoutComments(file))),
    );
  });
});

describe('only addon.cc and *_wrap.* know Node-API', () => {
  const plain = native.filter(({ path }) => !/(^native\/addon\.cc|_wrap\.(cc|h))$/.test(path));

  const headers = /^\s*#\s*include\s*[<"](node_api|js_native_api\w*|napi|node|v8|uv)\.h[>"]/gm;
  const wrappers = /^\s*#\s*include\s*"[^"]*_wrap\.h"/gm;

  test.each([
    { what: 'Node’s headers', include: headers },
    { what: 'a wrapper', include: wrappers },
  ])('the rest does not include $what', ({ include }) => {
    const advice =
      'plain C++ is tested and fuzzed without Node: pass values in, or move this into a *_wrap file';
    expect(plain.length).toBeGreaterThan(5);
    expectNone(plain.flatMap((file) => matches(file, include, advice)));
  });
});

describe('sizes', () => {
  const mostFileLines = 500;
  const mostFunctionLines = 35;
  // Each may only shrink: lower its number when it has, and take it out when it fits.
  const largeFiles: Record<string, number> = {};
  const longFunctions: Record<string, number> = {};
  /** By how many lines an exception may be too wide before it must be lowered. */
  const slack = 25;

  function check(what: string, lines: number, most: number, exceptions: Record<string, number>): string[] {
    const exception = exceptions[what];
    if (lines > (exception ?? most))
      return [`${what}: ${lines} lines, at most ${exception ?? most}: split it`];
    if (exception === undefined) return [];
    if (lines <= most) return [`${what}: it fits now: take it out of the exceptions`];
    return exception - lines > slack ? [`${what}: lower its exception to ${lines}`] : [];
  }

  function unknown(exceptions: Record<string, number>, known: readonly string[]): string[] {
    return Object.keys(exceptions)
      .filter((what) => !known.includes(what))
      .map((what) => `${what}: it is gone: take it out of the exceptions`);
  }

  test(`no file of lib or native has more than ${mostFileLines} lines`, () => {
    const files = [...lib, ...native];
    const lengths = files.flatMap(({ path, text }) =>
      check(path, text.split('\n').length - 1, mostFileLines, largeFiles),
    );
    expectNone([
      ...lengths,
      ...unknown(
        largeFiles,
        files.map(({ path }) => path),
      ),
    ]);
  });

  test(`no function of lib or native has more than ${mostFunctionLines} lines`, () => {
    const spans = [...lib, ...native].flatMap((file) =>
      functionsOf(file).map(({ name, lines }) => ({ what: `${file.path}:${name}`, lines })),
    );
    expect(spans.length).toBeGreaterThan(500); // both parsers found them
    const lengths = spans.flatMap(({ what, lines }) => check(what, lines, mostFunctionLines, longFunctions));
    expectNone([
      ...lengths,
      ...unknown(
        longFunctions,
        spans.map(({ what }) => what),
      ),
    ]);
  });
});

test('no class of lib has more than three above it', () => {
  const parents = new Map<string, string>();
  for (const { text } of lib) {
    for (const [, name, parent] of text.matchAll(/class (\w+)(?:<[^{]*?>)?\s+extends (\w+)/g)) {
      parents.set(name!, parent!);
    }
  }
  const chainOf = (name: string): string[] => {
    const parent = parents.get(name);
    return parent === undefined || parent === name ? [name] : [name, ...chainOf(parent)];
  };
  const chains = [...parents.keys()].map(chainOf);
  // The longest one that there is: the pattern above has found it.
  expect(chains.map((chain) => chain.join(' '))).toContain(
    'TcpConnection SocketConnection StreamCore Resource',
  );
  expectNone(
    chains
      .filter(({ length }) => length > 4)
      .map((chain) => `${chain.join(' > ')}: a chain of more than four`),
  );
});

describe('words', () => {
  test('no marks of unfinished work', () => {
    const marks = new RegExp(
      `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X'.repeat(3), 'HA' + 'CK'].join('|')})\\b`,
      'g',
    );
    expectNone(
      written.flatMap((file) => matches(file, marks, 'do it, or write an issue and take the mark out')),
    );
  });

  test('no instanceof in lib: an object of another realm (a worker’s, Jest’s, vm’s) is no instance', () => {
    // With the reason for each: 'lib/file.ts': 'why no brand, code or name would do'.
    const allowed: Record<string, string> = {};
    const advice = 'test `code`, `name` or a brand';
    expectNone(
      lib
        .filter(({ path }) => allowed[path] === undefined)
        .flatMap((file) => matches(file, /\binstanceof\b/g, advice, withoutComments(file))),
    );
  });

  test('no paths of the machine that it was written on', () => {
    const paths = new RegExp(
      `(?<![\\w.$}\\])/])/(${['work', 'home', 'root', 'Users'].join('|')})/\\w|\\b[A-Z]:\\\\\\\\?Users\\b`,
      'g',
    );
    expectNone(tree.flatMap((file) => matches(file, paths, 'name it from the package’s folder')));
  });
});

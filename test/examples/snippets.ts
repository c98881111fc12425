// The TypeScript in the project's pages, as modules of a user of the package.
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../support/child.js';
import { lineOf, tree } from '../support/source-tree.js';

export interface Snippet {
  /** The page, the heading that it stands under, and its place there: `README.md: UDP, 2`. */
  readonly name: string;
  readonly page: string;
  /** Of its first line, in the page. */
  readonly line: number;
  readonly code: string;
  /** From `<!-- not run: reason -->` above it; '' where it is run. */
  readonly notRun: string;
}

const fence = /^(?:<!-- not run: (.+) -->\n)?```(?:ts|typescript)\n([^]*?)^```$/gm;

/** All of the pages, in their order. */
export function findSnippets(): Snippet[] {
  const pages = tree.filter(({ path: name }) =>
    /^(bench\/|docs\/(guide\/|coming-from\/)?)?[\w-]+\.md$/.test(name),
  );
  return pages.flatMap(({ path: page, text }) => {
    const counts = new Map<string, number>();
    return [...text.matchAll(fence)].map(({ 0: all, 1: notRun = '', 2: code, index }) => {
      const heading = [...text.slice(0, index).matchAll(/^#+ (.+)$/gm)].at(-1)?.[1] ?? '';
      const place = (counts.get(heading) ?? 0) + 1;
      counts.set(heading, place);
      const line = lineOf(text, index + all.indexOf('```')) + 1;
      return { name: `${page}: ${heading}, ${place}`, page, line, code: code!, notRun };
    });
  });
}

/** A folder in which `import 'tripoll'` finds the built package, as after `npm install tripoll`. */
export function makeConsumer(folder: string): void {
  mkdirSync(path.join(folder, 'node_modules/@types'), { recursive: true });
  symlinkSync(packageRoot, path.join(folder, 'node_modules/tripoll'));
  symlinkSync(
    path.join(packageRoot, 'node_modules/@types/node'),
    path.join(folder, 'node_modules/@types/node'),
  );
}

/**
 * As strict as the consumers of test/types; what they check of the declarations is not checked
 * again.
 */
function consumerOptions(folder: string): ts.CompilerOptions {
  const file = path.join(packageRoot, 'test/types/tsconfig.json');
  const { config } = ts.readConfigFile(file, (name) => readFileSync(name, 'utf8')) as { config: object };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, path.dirname(file));
  const typeRoots = [path.join(folder, 'node_modules/@types')];
  return { ...options, noEmit: false, skipLibCheck: true, typeRoots, newLine: ts.NewLineKind.LineFeed };
}

const fileOf = (folder: string, index: number, ending: string): string =>
  path.join(folder, `snippet-${index}.${ending}`);

/**
 * Compiles each into a module of `folder`. Returns what the compiler has to say, with the pages'
 * own lines.
 */
export function compileSnippets(folder: string, snippets: readonly Snippet[]): string[] {
  const files = snippets.map(({ code }, index) => {
    const file = fileOf(folder, index, 'mts');
    writeFileSync(file, code);
    return file;
  });
  const program = ts.createProgram(files, consumerOptions(folder));
  const { diagnostics } = program.emit();
  return [...ts.getPreEmitDiagnostics(program), ...diagnostics].map(({ file, start, messageText }) => {
    const message = ts.flattenDiagnosticMessageText(messageText, '\n');
    const snippet = snippets[files.indexOf(file?.fileName ?? '')];
    if (snippet === undefined || file === undefined) return `${file?.fileName ?? ''}: ${message}`;
    const line = snippet.line + file.getLineAndCharacterOfPosition(start ?? 0).line;
    return `${snippet.page}:${line}: ${message}`;
  });
}

/**
 * The compiled module, in which each key of `replaced` has become its value: ports and paths of the
 * test's own.
 */
export function moduleOf(folder: string, index: number, replaced: Readonly<Record<string, string>>): string {
  let code = readFileSync(fileOf(folder, index, 'mjs'), 'utf8');
  for (const [from, to] of Object.entries(replaced)) {
    if (!code.includes(from)) throw new Error(`the snippet has no ${from}`);
    code = code.replaceAll(from, to);
  }
  const file = fileOf(folder, index, 'run.mjs');
  writeFileSync(file, code);
  return file;
}

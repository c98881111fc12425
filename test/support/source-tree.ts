// The project's own sources, for tests about them.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { packageRoot } from './child.js';

/** What is built or fetched; nobody wrote it. */
const GENERATED = /^(node_modules|build|build-.*|dist|out|\.git|\.cache|prebuilds|package-lock\.json)$/;
const TEXT = /(\.(ts|mts|cts|js|cjs|mjs|cc|h|c|json|md|yml|txt|gyp)|^run)$/;

export interface SourceFile {
  /** From the package's folder, with `/`. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  /** A lib file, as `SourceFile.path`, or the name of a package. */
  readonly target: string;
  readonly line: number;
}

export interface FunctionSpan {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

function walk(folder: string): SourceFile[] {
  return readdirSync(path.join(packageRoot, folder), { withFileTypes: true })
    .filter(({ name }) => !GENERATED.test(name))
    .flatMap((entry): SourceFile[] => {
      const name = path.posix.join(folder, entry.name);
      if (entry.isDirectory()) return walk(name);
      if (!entry.isFile() || !TEXT.test(entry.name)) return [];
      return [{ path: name, text: readFileSync(path.join(packageRoot, name), 'utf8') }];
    });
}

export const tree: readonly SourceFile[] = walk('.');

export function sources(folder: string, endings: RegExp): SourceFile[] {
  return tree.filter((file) => file.path.startsWith(`${folder}/`) && endings.test(file.path));
}

export function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/** `file:line: message`, for each match. */
export function matches(file: SourceFile, pattern: RegExp, message: string, text = file.text): string[] {
  return [...text.matchAll(pattern)].map((found) => `${file.path}:${lineOf(text, found.index)}: ${message}`);
}

const blank = (comment: string): string => comment.replace(/[^\n]/g, ' ');

/**
 * The text with its comments blanked: every character stays where it was. Templates are taken as
 * plain strings.
 */
export function withoutComments(file: SourceFile): string {
  if (!/\.[mc]?ts$/.test(file.path)) {
    const token = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'|\/\/[^\n]*|\/\*[^]*?\*\//g;
    return file.text.replace(token, (found) => (found.startsWith('/') ? blank(found) : found));
  }
  const ranges = new Map<number, number>();
  const visit = (node: ts.Node): void => {
    for (const { pos, end } of ts.getLeadingCommentRanges(file.text, node.getFullStart()) ?? []) {
      ranges.set(pos, end);
    }
    for (const { pos, end } of ts.getTrailingCommentRanges(file.text, node.getEnd()) ?? [])
      ranges.set(pos, end);
    node.getChildren().forEach(visit);
  };
  visit(parse(file));
  let text = file.text;
  for (const [from, to] of ranges) text = text.slice(0, from) + blank(text.slice(from, to)) + text.slice(to);
  return text;
}

function parse(file: SourceFile): ts.SourceFile {
  return ts.createSourceFile(file.path, file.text, ts.ScriptTarget.ES2022, true);
}

/** All of a lib file's imports and re-exports, also those of types and those at run time. */
export function importsOf(file: SourceFile): Import[] {
  const parsed = parse(file);
  const imports: Import[] = [];
  const add = (specifier: ts.Expression | undefined): void => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
    const name = specifier.text;
    const target = name.startsWith('.')
      ? path.posix.join(path.posix.dirname(file.path), name).replace(/\.(m?)js$/, '.$1ts')
      : name;
    imports.push({ target, line: lineOf(file.text, specifier.getStart()) });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0]);
    }
    ts.forEachChild(node, visit);
  };
  visit(parsed);
  return imports;
}

/** A function's lines are those from its name to its last brace, with the functions inside it. */
export function functionsOf(file: SourceFile): FunctionSpan[] {
  return file.path.endsWith('.ts') ? functionsOfTypeScript(file) : functionsOfCpp(file);
}

function functionsOfTypeScript(file: SourceFile): FunctionSpan[] {
  const spans: FunctionSpan[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const named = node.name ?? (ts.isVariableDeclaration(node.parent) ? node.parent.name : undefined);
      const line = lineOf(file.text, node.getStart());
      const name = ts.isConstructorDeclaration(node) ? 'constructor' : (named?.getText() ?? 'anonymous');
      spans.push({ name, line, lines: lineOf(file.text, node.getEnd()) - line + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(parse(file));
  return spans;
}

/** By braces: clang-format puts a space before a body's, and none before an initializer's. */
function functionsOfCpp(file: SourceFile): FunctionSpan[] {
  const text = withoutComments(file)
    .replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])'/g, (found) => '_'.repeat(found.length))
    .replace(/^[ \t]*#(?:[^\n]*\\\n)*[^\n]*/gm, blank);
  const spans: FunctionSpan[] = [];
  let depth = 0;
  let open: { name: string; from: number; depth: number } | null = null;
  let headerFrom = 0;
  for (const { 0: mark, index } of text.matchAll(/[{};]/g)) {
    const header = text.slice(headerFrom, index);
    if (mark === '{') {
      depth++;
      const name = /([\w~:]+)\s*\(/.exec(header)?.[1];
      const isBody = /[\s)]$/.test(header) && !/^\s*(class|struct|enum|union|namespace)\b/.test(header);
      if (open === null && name !== undefined && isBody && !/[=,(]\s*$/.test(header)) {
        const from = headerFrom + header.search(/\S/);
        open = { name, from, depth };
      }
    } else if (mark === '}') {
      if (open?.depth === depth) {
        const line = lineOf(text, open.from);
        spans.push({ name: open.name, line, lines: lineOf(text, index) - line + 1 });
        open = null;
      }
      depth--;
    }
    // An initializer's braces are part of the header that they stand in.
    if (!(mark !== ';' && /[\w>]$/.test(header) && open === null)) headerFrom = index + 1;
  }
  return spans;
}

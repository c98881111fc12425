// The published declarations, dist/**/*.d.ts, are those of lib/ without what is internal
// (tools/public-types.cjs).
import path from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../support/child.js';

const ENTRIES = ['index.d.ts', 'net/index.d.ts', 'raw/index.d.ts'];
const HIDDEN = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;

/** The classes that the entries in `folder` export, by name, with the checker that knows them. */
function readClasses(folder: string): { checker: ts.TypeChecker; classes: Map<string, ts.InterfaceType> } {
  const files = ENTRIES.map((entry) => path.join(packageRoot, folder, entry));
  const program = ts.createProgram(files, {
    module: ts.ModuleKind.Node16,
    moduleResolution: ts.ModuleResolutionKind.Node16,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
  });
  const checker = program.getTypeChecker();
  const classes = new Map<string, ts.InterfaceType>();
  for (const file of files) {
    const entry = checker.getSymbolAtLocation(program.getSourceFile(file)!)!;
    for (const exported of checker.getExportsOfModule(entry)) {
      const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      const symbol = isAlias ? checker.getAliasedSymbol(exported) : exported;
      if ((symbol.flags & ts.SymbolFlags.Class) === 0) continue;
      classes.set(symbol.name, checker.getDeclaredTypeOfSymbol(symbol) as ts.InterfaceType);
    }
  }
  return { checker, classes };
}

function isTagged(declaration: ts.Node, tag: string): boolean {
  const text = declaration.getSourceFile().text;
  const comments = ts.getLeadingCommentRanges(text, declaration.getFullStart()) ?? [];
  return comments.some(({ pos, end }) => text.slice(pos, end).includes(tag));
}

/** A protected member that is tagged @public is for a user's subclasses. */
function isHidden(symbol: ts.Symbol): boolean {
  return (symbol.declarations ?? []).some(
    (declaration) =>
      ((ts.getCombinedModifierFlags(declaration) & HIDDEN) !== 0 && !isTagged(declaration, '@public')) ||
      isTagged(declaration, '@internal'),
  );
}

const full = readClasses('out/lib');
const published = readClasses('dist');

/** What `type` or a class that it extends declares; those of symbols have the symbol's own name. */
function membersOf({ checker }: typeof full, type: ts.Type): ts.Symbol[] {
  return checker.getPropertiesOfType(type).filter(({ name }) => !name.startsWith('#'));
}

const nameOf = ({ name }: ts.Symbol): string => name.replace(/^__@(\w+)@\d+$/, '[$1]');

test('every class that is exported is published, and no other', () => {
  expect(full.classes.size).toBeGreaterThan(30);
  expect([...published.classes.keys()].sort()).toEqual([...full.classes.keys()].sort());
});

/**
 * Hidden here, or where a base class declares it: an override without the tag would publish it
 * again.
 */
function hiddenNames(type: ts.InterfaceType): Set<string> {
  const { checker } = full;
  const own = membersOf(full, type).filter(isHidden).map(nameOf);
  const bases = checker.getBaseTypes(type).flatMap((base) => [...hiddenNames(base as ts.InterfaceType)]);
  return new Set([...own, ...bases]);
}

test.each([...full.classes.keys()])('no internal member of %s is visible', (name) => {
  const hidden = hiddenNames(full.classes.get(name)!);
  const visible = membersOf(published, published.classes.get(name)!).map(nameOf);
  expect(visible.length).toBeGreaterThan(0);
  expect(visible.filter((member) => hidden.has(member))).toEqual([]);
});

test.each(['TcpConnection', 'TcpListener', 'TcpStream', 'UdpSocket', 'UnixStream', 'PassedFds'])(
  'nobody constructs %s',
  (name) => {
    const { symbol } = published.classes.get(name)!;
    const statics = published.checker.getTypeOfSymbol(symbol);
    for (const { declaration } of statics.getConstructSignatures())
      expect(declaration && ts.getCombinedModifierFlags(declaration) & HIDDEN).not.toBe(0);
  },
);

test('of a TcpConnection these are visible, out of some ninety', () => {
  expect(membersOf(full, full.classes.get('TcpConnection')!).length).toBeGreaterThan(80);
  expect(membersOf(published, published.classes.get('TcpConnection')!).map(nameOf).sort()).toEqual(
    [
      ...['data', 'fd', 'listener', 'localAddress', 'reactor', 'remoteAddress'],
      ...['closed', 'queuedBytes', 'readEnded', 'writeEnded', 'bytesRead', 'bytesWritten', 'peerSignal'],
      ...[
        'write',
        'writev',
        'writeZeroCopy',
        'sendfile',
        'sendUrgent',
        'cork',
        'uncork',
        'peek',
        'pause',
        'resume',
      ],
      ...['end', 'close', 'reset', 'intoFd', 'detach', 'ref', 'unref', 'getOption', 'setOption'],
      ...['[dispose]', '[asyncDispose]'],
    ].sort(),
  );
});

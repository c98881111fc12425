'use strict';
// The declarations that are published. tsc writes those of all of lib/ to out/lib, for our tests;
// here each is copied to dist/ without what is not for users: what is tagged @internal, private
// members, protected ones that are not tagged
// @public (those are for a user's subclasses), and the imports that nothing uses then. A class
// keeps a #private member if it has one, which is what sets it apart from others of its shape.
// tsc's own --stripInternal is not enough: where it strips a constructor the class can be
// constructed by anyone, and what a class `implements` stays, though it no longer does.
const fs = require('node:fs');
const path = require('node:path');
const ts = require('typescript');

const root = path.join(__dirname, '..');
const from = path.join(root, 'out/lib');
const to = path.join(root, 'dist');

const { Private, Protected } = ts.ModifierFlags;

function isTagged(node, text, tag) {
  const comments = ts.getLeadingCommentRanges(text, node.getFullStart()) ?? [];
  return comments.length > 0 && text.slice(comments.at(-1).pos, comments.at(-1).end).includes(tag);
}

const isInternal = (node, text) => isTagged(node, text, '@internal');

function isHidden(node, text) {
  const flags = ts.getCombinedModifierFlags(node);
  const isProtected = (flags & Protected) !== 0 && !isTagged(node, text, '@public');
  return (flags & Private) !== 0 || isProtected || isInternal(node, text);
}

/** The cuts that a class or an interface needs: [start, end, what comes there instead]. */
function cutsOfMembers(declaration, text) {
  const isOpaque = ts.isInterfaceDeclaration(declaration) && isInternal(declaration, text);
  const hidden = declaration.members.filter((member) => isOpaque || isHidden(member, text));
  const constructors = declaration.members.filter(ts.isConstructorDeclaration);
  const isClosed = constructors.every((member) => hidden.includes(member));
  // One has to be declared still: else anyone may call the default one.
  const insteadOf = (member) =>
    isClosed && member === constructors[0] ? '\n    protected constructor();' : '';
  return hidden.map((member) => [member.getFullStart(), member.end, insteadOf(member)]);
}

/** `implements` of our own interfaces: a member that it asks for may be among those that went. */
function cutsOfImplements(declaration, imported) {
  return (declaration.heritageClauses ?? [])
    .filter(({ token, types }) => {
      const isOurs = types.some(({ expression }) => imported.has(expression.getText()));
      return token === ts.SyntaxKind.ImplementsKeyword && isOurs;
    })
    .map((clause) => [clause.getFullStart(), clause.end, '']);
}

function apply(text, cuts) {
  let result = text;
  const fromTheEnd = [...cuts].sort((a, b) => b[0] - a[0]);
  for (const [start, end, instead] of fromTheEnd)
    result = result.slice(0, start) + instead + result.slice(end);
  return result;
}

function parse(file, text) {
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
}

const specifiersOf = (statement) => statement.importClause?.namedBindings?.elements ?? [];

function namesUsed(source) {
  const used = new Set();
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) return;
    if (ts.isIdentifier(node)) used.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return used;
}

function withoutUnusedImports(file, text) {
  const source = parse(file, text);
  const used = namesUsed(source);
  const cuts = [];
  for (const statement of source.statements.filter(ts.isImportDeclaration)) {
    const kept = specifiersOf(statement).filter(({ name }) => used.has(name.text));
    if (specifiersOf(statement).length === 0) continue;
    const list = kept.map((specifier) => specifier.getText()).join(', ');
    const { namedBindings } = statement.importClause;
    if (kept.length === 0) cuts.push([statement.getFullStart(), statement.end, '']);
    else cuts.push([namedBindings.getStart(), namedBindings.end, `{ ${list} }`]);
  }
  return apply(text, cuts).trimStart();
}

function publish(file, text) {
  const source = parse(file, text);
  const imported = new Set(
    source.statements
      .filter(ts.isImportDeclaration)
      .flatMap((statement) => specifiersOf(statement).map(({ name }) => name.text)),
  );
  const cuts = source.statements
    .filter((node) => ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node))
    .flatMap((node) => [...cutsOfMembers(node, text), ...cutsOfImplements(node, imported)]);
  return withoutUnusedImports(file, apply(text, cuts));
}

function declarationsIn(folder) {
  return fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.d\.m?ts$/.test(file));
}

const isOfLib = (file) => fs.existsSync(path.join(root, 'lib', file.replace(/\.d(\.m?ts)$/, '$1')));

/** A file that is as it was keeps its time, so that tsc does not check its users again. */
function write(file, text) {
  if (fs.existsSync(file) && fs.readFileSync(file, 'utf8') === text) return;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

fs.mkdirSync(to, { recursive: true });
// Of a module that was deleted tsc leaves the declarations behind, in both folders.
for (const file of declarationsIn(to)) if (!isOfLib(file)) fs.rmSync(path.join(to, file));
for (const file of declarationsIn(from).filter(isOfLib))
  write(path.join(to, file), publish(file, fs.readFileSync(path.join(from, file), 'utf8')));

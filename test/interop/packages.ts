// npm's packages for the apps of test/interop (tools/interop/package.json), which NODE_PATH leads
// to. The project does not depend on them, nor on their types: an app says what it uses.
import { createRequire } from 'node:module';

const requirePackage = createRequire(__filename);

/** What `require(name)` gives to a program that has the package. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- it is the package's type
export function load<Exports>(name: string): Exports {
  return requirePackage(name) as Exports;
}

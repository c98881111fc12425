'use strict';
// What `npm run prebuild:all` compiles for. With a `prebuild` the addon goes into the package, by
// prebuildify's layout; the others show that it compiles and links there.

/**
 * musl's CMSG_NXTHDR compares a length with a difference of pointers, its batch calls have unsigned
 * flags.
 */
const MUSL = ['-Wno-sign-compare', '-Wno-sign-conversion'];
/** Of macOS' headers, before whichever source comes first: native/bsd defines it for itself alone. */
const MAC = ['-D__APPLE_USE_RFC_3542='];

/**
 * `os` is sources.json's; `cpu` and `format` are what the file must be. `tests`: with the C++ tests
 * as one program, which runs here. glibc 2.28 is Debian 10's and RHEL 8's, which Node 20 asks for; the version of
 * macOS is the oldest that Node 20 to 26 have in common; FreeBSD's is the oldest that is maintained.
 */
const TARGETS = [
  {
    name: 'linux-x64-glibc',
    prebuild: 'linux-x64/tripoll.glibc.node',
    triple: 'x86_64-linux-gnu.2.28',
    os: 'linux',
  },
  {
    name: 'linux-x64-musl',
    prebuild: 'linux-x64/tripoll.musl.node',
    triple: 'x86_64-linux-musl',
    os: 'linux',
    flags: MUSL,
    tests: true,
  },
  {
    name: 'linux-arm64-glibc',
    prebuild: 'linux-arm64/tripoll.glibc.node',
    triple: 'aarch64-linux-gnu.2.28',
    os: 'linux',
  },
  {
    name: 'linux-arm64-musl',
    prebuild: 'linux-arm64/tripoll.musl.node',
    triple: 'aarch64-linux-musl',
    os: 'linux',
    flags: MUSL,
  },
  {
    name: 'darwin-arm64',
    prebuild: 'darwin-arm64/tripoll.node',
    triple: 'aarch64-macos.13.0',
    os: 'mac',
    flags: MAC,
  },
  {
    name: 'darwin-x64',
    prebuild: 'darwin-x64/tripoll.node',
    triple: 'x86_64-macos.13.0',
    os: 'mac',
    flags: MAC,
  },
  {
    name: 'freebsd-x64',
    prebuild: 'freebsd-x64/tripoll.node',
    triple: 'x86_64-freebsd.14.0',
    os: 'freebsd',
  },
  // By mingw, as npm run test:windows: what ran under Wine is what is packed.
  { name: 'win32-x64', prebuild: 'win32-x64/tripoll.node', os: 'win' },
  { name: 'freebsd-arm64', triple: 'aarch64-freebsd.14.0', os: 'freebsd' },
  { name: 'netbsd-x64', triple: 'x86_64-netbsd', os: 'netbsd' },
  { name: 'openbsd-x64', triple: 'x86_64-openbsd', os: 'openbsd' },
].map((target) => ({
  ...target,
  cpu: target.name.includes('arm64') ? 'aarch64' : 'x86_64',
  format: { win: 'pe', mac: 'macho' }[target.os] ?? 'elf',
}));

module.exports = { TARGETS };

'use strict';
// Reads what a linked file is, which symbols it lacks or has, what it loads, and how it is guarded:
// ELF, Mach-O and PE, 64 bits, little-endian.
const fs = require('node:fs');

const ELF = 0x464c457f;
const MACH_O = 0xfeedfacf;
const SHT_DYNSYM = 11;
const SHT_DYNAMIC = 6;
const SHT_VERNEED = 0x6ffffffe;
const PT_GNU_STACK = 0x6474e551;
const PT_GNU_RELRO = 0x6474e552;
const PF_X = 1;
const DT = { NEEDED: 1, RPATH: 15, TEXTREL: 22, RUNPATH: 29, FLAGS: 30 };
const DF_TEXTREL = 4;
const DF_BIND_NOW = 8;
const LC_SYMTAB = 2;
const LC_LOAD_DYLIB = 0xc;
const LC_CODE_SIGNATURE = 0x1d;
const LC_BUILD_VERSION = 0x32;
const SYMBOL_BYTES = { elf: 24, macho: 16 };

/** e_machine, and Mach-O's cputype. */
const CPUS = {
  elf: { 62: 'x86_64', 183: 'aarch64' },
  macho: { 0x1000007: 'x86_64', 0x100000c: 'aarch64' },
  pe: { 0x8664: 'x86_64', 0xaa64: 'aarch64' },
};
/** e_type, and Mach-O's filetype. */
const KINDS = { elf: { 2: 'program', 3: 'shared' }, macho: { 2: 'program', 6: 'shared', 8: 'bundle' } };

function nameAt(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}

/** Those of a library's symbols that are of a version: `GLIBC_2.28`. */
function readVersions(bytes, section, names) {
  const versions = [];
  for (let at = section.offset, isLast = false; !isLast;) {
    const next = bytes.readUInt32LE(at + 12);
    let of = at + bytes.readUInt32LE(at + 8);
    for (let left = bytes.readUInt16LE(at + 2); left > 0; left--) {
      versions.push(nameAt(bytes, names + bytes.readUInt32LE(of + 8)));
      of += bytes.readUInt32LE(of + 12);
    }
    isLast = next === 0;
    at += next;
  }
  return versions;
}

/** What the dynamic linker is told: libraries, paths, and whether all is bound and then read-only. */
function readDynamic(bytes, section, names) {
  const found = { libraries: [], hasPath: false, isBoundNow: false, hasTextRelocations: false };
  for (let at = section.offset; at < section.offset + section.bytes; at += 16) {
    const tag = Number(bytes.readBigInt64LE(at));
    const value = Number(bytes.readBigUInt64LE(at + 8));
    if (tag === DT.NEEDED) found.libraries.push(nameAt(bytes, names + value));
    if (tag === DT.RPATH || tag === DT.RUNPATH) found.hasPath = true;
    if (tag === DT.TEXTREL || (tag === DT.FLAGS && (value & DF_TEXTREL) !== 0))
      found.hasTextRelocations = true;
    if (tag === DT.FLAGS && (value & DF_BIND_NOW) !== 0) found.isBoundNow = true;
  }
  return found;
}

function readSegments(bytes) {
  const [start, size, count] = [
    Number(bytes.readBigUInt64LE(32)),
    bytes.readUInt16LE(54),
    bytes.readUInt16LE(56),
  ];
  const all = Array.from({ length: count }, (_, index) => start + index * size);
  const find = (type) => all.find((at) => bytes.readUInt32LE(at) === type);
  const stack = find(PT_GNU_STACK);
  return {
    hasRelro: find(PT_GNU_RELRO) !== undefined,
    isStackExecutable: stack === undefined || (bytes.readUInt32LE(stack + 4) & PF_X) !== 0,
  };
}

function readElf(bytes) {
  const [sections, size, count] = [
    Number(bytes.readBigUInt64LE(40)),
    bytes.readUInt16LE(58),
    bytes.readUInt16LE(60),
  ];
  const section = (index) => {
    const at = sections + index * size;
    return {
      type: bytes.readUInt32LE(at + 4),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      bytes: Number(bytes.readBigUInt64LE(at + 32)),
      link: bytes.readUInt32LE(at + 40),
    };
  };
  const all = Array.from({ length: count }, (_, index) => section(index));
  const table = all.find(({ type }) => type === SHT_DYNSYM);
  if (table === undefined) throw new Error('no table of dynamic symbols');
  const names = all[table.link].offset;
  const symbols = [];
  for (let at = table.offset; at < table.offset + table.bytes; at += SYMBOL_BYTES.elf) {
    const name = nameAt(bytes, names + bytes.readUInt32LE(at));
    if (name !== '') symbols.push({ name, defined: bytes.readUInt16LE(at + 6) !== 0 });
  }
  const needed = all.find(({ type }) => type === SHT_VERNEED);
  return {
    kind: KINDS.elf[bytes.readUInt16LE(16)],
    cpu: CPUS.elf[bytes.readUInt16LE(18)],
    symbols,
    versions: needed === undefined ? [] : readVersions(bytes, needed, names),
    ...readDynamic(
      bytes,
      all.find(({ type }) => type === SHT_DYNAMIC),
      names,
    ),
    ...readSegments(bytes),
  };
}

function readMachSymbols(bytes, command) {
  const symbols = [];
  const [from, count, names] = [8, 12, 16].map((offset) => bytes.readUInt32LE(command + offset));
  for (let i = 0; i < count; i++) {
    const entry = from + i * SYMBOL_BYTES.macho;
    const type = bytes.readUInt8(entry + 4);
    const isExternal = (type & 0x01) !== 0 && (type & 0xe0) === 0; // N_EXT, and nothing of a debugger
    if (!isExternal) continue;
    // Each name has an underscore before it.
    const name = nameAt(bytes, names + bytes.readUInt32LE(entry)).replace(/^_/, '');
    symbols.push({ name, defined: (type & 0x0e) !== 0 });
  }
  return symbols;
}

function readMachO(bytes) {
  const found = { symbols: [], libraries: [], isSigned: false, leastVersion: 0 };
  let at = 32;
  for (let left = bytes.readUInt32LE(16); left > 0; left--) {
    const command = bytes.readUInt32LE(at);
    if (command === LC_SYMTAB) found.symbols = readMachSymbols(bytes, at);
    if (command === LC_LOAD_DYLIB) found.libraries.push(nameAt(bytes, at + bytes.readUInt32LE(at + 8)));
    if (command === LC_CODE_SIGNATURE) found.isSigned = true;
    if (command === LC_BUILD_VERSION) found.leastVersion = bytes.readUInt32LE(at + 12) >> 16;
    at += bytes.readUInt32LE(at + 4);
  }
  return { kind: KINDS.macho[bytes.readUInt32LE(12)], cpu: CPUS.macho[bytes.readUInt32LE(4)], ...found };
}

/** Of each name that is imported; `thunks` is the table's place. An ordinal has no name. */
function readThunks(bytes, thunks, fileAt) {
  const names = [];
  for (let at = thunks; bytes.readBigUInt64LE(at) !== 0n; at += 8) {
    const entry = bytes.readBigUInt64LE(at);
    if (entry >> 63n === 0n) names.push(nameAt(bytes, fileAt(Number(entry)) + 2));
  }
  return names;
}

/**
 * What mingw's ld has made to be loaded at the first call is in no directory: by its names, each
 * after a number of two bytes.
 */
function delayedImports(bytes) {
  const found = bytes.toString('latin1').matchAll(/[^\w]((?:napi|node_api|uv)_[a-z0-9_]+)(?=\0)/g);
  const names = new Set([...found].map(([, name]) => name).filter((name) => !/_v\d+$/.test(name)));
  return [...names].map((name) => ({ name, defined: false }));
}

/** Offsets from the "PE" mark: the file's header has 24 bytes, the optional one follows. */
function readPe(bytes) {
  const start = bytes.readUInt32LE(0x3c);
  const optional = start + 24;
  const sections = Array.from({ length: bytes.readUInt16LE(start + 6) }, (_, i) => {
    const at = optional + bytes.readUInt16LE(start + 20) + i * 40;
    const [size, address, , offset] = [8, 12, 16, 20].map((field) => bytes.readUInt32LE(at + field));
    return { size, address, offset };
  });
  const fileAt = (address) => {
    const section = sections.find((each) => address >= each.address && address < each.address + each.size);
    return address - section.address + section.offset;
  };
  const directory = (index) => bytes.readUInt32LE(optional + 112 + index * 8);
  const found = { symbols: delayedImports(bytes), libraries: [] };
  for (let at = fileAt(directory(1)); bytes.readUInt32LE(at + 12) !== 0; at += 20) {
    found.libraries.push(nameAt(bytes, fileAt(bytes.readUInt32LE(at + 12))));
    for (const name of readThunks(bytes, fileAt(bytes.readUInt32LE(at)), fileAt))
      found.symbols.push({ name, defined: false });
  }
  const exported = fileAt(directory(0));
  const names = fileAt(bytes.readUInt32LE(exported + 32));
  for (let i = 0; i < bytes.readUInt32LE(exported + 24); i++) {
    found.symbols.push({ name: nameAt(bytes, fileAt(bytes.readUInt32LE(names + i * 4))), defined: true });
  }
  return {
    kind: (bytes.readUInt16LE(start + 22) & 0x2000) !== 0 ? 'shared' : 'program',
    cpu: CPUS.pe[bytes.readUInt16LE(start + 4)],
    guards: bytes.readUInt16LE(optional + 70),
    ...found,
  };
}

/** `{ format, kind, cpu, symbols: [{ name, defined }], libraries, ... }`. Throws where it is none. */
function readBinary(file) {
  const bytes = fs.readFileSync(file);
  const magic = bytes.length < 64 ? 0 : bytes.readUInt32LE(0);
  if (magic === ELF) return { format: 'elf', ...readElf(bytes) };
  if (magic === MACH_O) return { format: 'macho', ...readMachO(bytes) };
  if ((magic & 0xffff) === 0x5a4d) return { format: 'pe', ...readPe(bytes) };
  throw new Error(`${file}: neither ELF, Mach-O nor PE (magic ${magic.toString(16)})`);
}

module.exports = { readBinary };

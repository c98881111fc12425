'use strict';
// Reads what a linked file is and which symbols it lacks or has: ELF and Mach-O, 64 bits,
// little-endian.
const fs = require('node:fs');

const ELF = 0x464c457f;
const MACH_O = 0xfeedfacf;
const SHT_DYNSYM = 11;
const LC_SYMTAB = 2;
const SYMBOL_BYTES = { elf: 24, macho: 16 };

/** e_machine, and Mach-O's cputype. */
const CPUS = { elf: { 62: 'x86_64', 183: 'aarch64' }, macho: { 0x1000007: 'x86_64', 0x100000c: 'aarch64' } };
/** e_type, and Mach-O's filetype. */
const KINDS = { elf: { 2: 'program', 3: 'shared' }, macho: { 2: 'program', 6: 'shared', 8: 'bundle' } };

function nameAt(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
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
  return { kind: KINDS.elf[bytes.readUInt16LE(16)], cpu: CPUS.elf[bytes.readUInt16LE(18)], symbols };
}

function readMachO(bytes) {
  const symbols = [];
  let at = 32;
  for (let i = bytes.readUInt32LE(16); i > 0; i--) {
    if (bytes.readUInt32LE(at) === LC_SYMTAB) {
      const [from, count, names] = [8, 12, 16].map((offset) => bytes.readUInt32LE(at + offset));
      for (let j = 0; j < count; j++) {
        const entry = from + j * SYMBOL_BYTES.macho;
        const type = bytes.readUInt8(entry + 4);
        const isExternal = (type & 0x01) !== 0 && (type & 0xe0) === 0; // N_EXT, and nothing of a debugger
        if (!isExternal) continue;
        // Each name has an underscore before it.
        const name = nameAt(bytes, names + bytes.readUInt32LE(entry)).replace(/^_/, '');
        symbols.push({ name, defined: (type & 0x0e) !== 0 });
      }
    }
    at += bytes.readUInt32LE(at + 4);
  }
  return { kind: KINDS.macho[bytes.readUInt32LE(12)], cpu: CPUS.macho[bytes.readUInt32LE(4)], symbols };
}

/** `{ format, kind, cpu, symbols: [{ name, defined }] }`. Throws where the file is neither. */
function readBinary(file) {
  const bytes = fs.readFileSync(file);
  const magic = bytes.length < 64 ? 0 : bytes.readUInt32LE(0);
  if (magic === ELF) return { format: 'elf', ...readElf(bytes) };
  if (magic === MACH_O) return { format: 'macho', ...readMachO(bytes) };
  throw new Error(`${file}: neither ELF nor Mach-O (magic ${magic.toString(16)})`);
}

module.exports = { readBinary };

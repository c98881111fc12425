// A native file that no build compiles is dead, and one listed twice does not link: the one list names each file once.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

test('native/sources.json names every native source once, and no other', () => {
  const { folders, ...lists } = JSON.parse(read('native/sources.json')) as Record<string, string[]> & {
    folders: Record<string, string[]>;
  };
  const listed = Object.values(lists as Record<string, string[]>).flat();
  const present = readdirSync(join(root, 'native'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.cc'))
    .map((name) => `native/${name.replaceAll('\\', '/')}`);
  expect(listed.sort()).toEqual(present.sort());
  const used = new Set(Object.values(folders).flat());
  expect([...used].sort()).toEqual(Object.keys(lists).sort());
});

test('both builds read that list, and name no source themselves', () => {
  for (const [file, reader] of [
    ['binding.gyp', 'native/list-sources.cjs'],
    ['CMakeLists.txt', 'native/sources.json'],
  ] as const) {
    expect(read(file)).toContain(reader);
    expect(read(file)).not.toMatch(/[\w/]+\.cc\b/);
  }
});

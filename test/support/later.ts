/** What is closed after each test of the file that imports this. */
export const closing: { close(): void }[] = [];

afterEach(() => {
  for (const each of closing.splice(0)) each.close();
});

export function later<T extends { close(): void }>(each: T): T {
  closing.push(each);
  return each;
}

// An entry that loads, and ends its thread a moment later.
export const wait = (): Promise<never> => new Promise(() => {});
setTimeout(() => process.exit(5), 1);

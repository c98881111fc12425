// How many cores this process may use: of the machine, so asked here.
export { availableParallelism } from 'node:os';

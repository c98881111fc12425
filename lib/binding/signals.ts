import { constants } from 'node:os';

/** The signals of this platform, by name. */
export const signalNumbers: Readonly<Record<string, number>> = constants.signals;

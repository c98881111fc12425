import os from 'node:os';

/** The signals of this platform, by name. */
export const signalNumbers: Readonly<Record<string, number>> = os.constants.signals;

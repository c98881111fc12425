import * as dgram from './dgram.js';
export * from './dgram.js';
export default dgram;

export type { MessageHandlers } from './message-pump.js';
export type { ReceivedMessage } from './message-socket.js';

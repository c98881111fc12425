// The suite of named pipes, which only Windows has.
import { capabilities } from 'tripoll';
import { connectPipe, listenPipe, PipeListener, PipeStream } from 'tripoll/net';
import { testIf } from '../../support/applies.js';
import { thrownBy, unsupported } from '../../support/errors.js';
import { describeOn, record, rejection } from '../tools.js';
import { describeBytes } from './suite/bytes.js';
import { describeEnds } from './suite/ends.js';
import { describeNames } from './suite/names.js';
import { describeNode } from './suite/node.js';
import { newName } from './tools.js';

test('capabilities say where there are named pipes', () => {
  expect(capabilities.namedPipes).toBe(capabilities.platform === 'win32');
});

testIf(!capabilities.namedPipes, 'it is about systems that have none')('elsewhere unsupported', async () => {
  expect(await rejection(PipeListener.bind(newName()))).toEqual(unsupported);
  expect(await rejection(PipeStream.connect(newName()))).toEqual(unsupported);
  expect(thrownBy(() => listenPipe(newName(), {}))).toEqual(unsupported);
  expect(thrownBy(() => connectPipe(newName(), record().handlers as object))).toEqual(unsupported);
});

describeOn(['watcher iocp'], 'named pipes', (context) => {
  describeBytes(context);
  describeEnds(context);
  describeNames(context);
  describeNode(context);
});

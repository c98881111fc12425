import { BlockList } from 'node:net';
import { invalidArgType } from '../../binding/errors.js';
import { notCloneable } from '../errors.js';

/** A list as a worker is told it: itself, or its rules. */
export type PostedBlockList = BlockList | readonly string[];

/** What lists of Deno have, and Node 20's have not. */
interface RulesHolder extends BlockList {
  toJSON(): string[];
  fromJSON(rules: readonly string[]): void;
}
interface Lists {
  isBlockList?: (value: unknown) => value is RulesHolder;
}

/**
 * A clone of Node's has the rules of the first, also later ones. One of Deno's (2.9) has nothing:
 * there its rules are sent.
 *
 * @throws TypeError; ERR_TRIPOLL_NOT_CLONEABLE
 */
export function postBlockList(list: BlockList): PostedBlockList {
  if (typeof clone(list).check === 'function') return list;
  const { isBlockList } = BlockList as Lists;
  if (isBlockList?.(list) === true) return list.toJSON();
  throw invalidArgType('blockList', 'an instance of net.BlockList', list);
}

export function receiveBlockList(posted: PostedBlockList): BlockList {
  if (!isRules(posted)) return posted;
  const list = new BlockList() as RulesHolder;
  list.fromJSON(posted);
  return list;
}

const isRules = (posted: PostedBlockList): posted is readonly string[] => Array.isArray(posted);

function clone(list: BlockList): Partial<BlockList> {
  try {
    return structuredClone(list);
  } catch (error) {
    throw notCloneable('an option', 'serve', error);
  }
}

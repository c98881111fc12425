import { BlockList } from 'node:net';
import { invalidArgType } from '../../binding/errors.js';
import { notCloneable } from '../errors.js';

/** A list as a worker is told it: itself, or its rules. */
export type PostedBlockList = BlockList | readonly string[];

interface RulesHolder extends BlockList {
  toJSON?(): string[];
  fromJSON?(rules: readonly string[]): void;
}

/**
 * A clone of Node's has the rules of the first, also later ones. One of Deno's (2.9) has nothing:
 * there its rules are sent.
 *
 * @throws TypeError; ERR_TRIPOLL_NOT_CLONEABLE
 */
export function postBlockList(list: BlockList): PostedBlockList {
  if (canCheck(clone(list))) return list;
  const rules = (list as RulesHolder).toJSON?.();
  if (Array.isArray(rules) && canCheck(receiveBlockList(rules))) return rules;
  throw invalidArgType('blockList', 'an instance of net.BlockList', list);
}

export function receiveBlockList(posted: PostedBlockList): BlockList {
  if (!isRules(posted)) return posted;
  const list: RulesHolder = new BlockList();
  list.fromJSON?.(posted);
  return list;
}

const isRules = (posted: PostedBlockList): posted is readonly string[] => Array.isArray(posted);
const canCheck = (list: Partial<BlockList>): boolean => typeof list.check === 'function';

function clone(list: BlockList): Partial<BlockList> {
  try {
    return structuredClone(list);
  } catch (error) {
    throw notCloneable('an option', 'serve', error);
  }
}

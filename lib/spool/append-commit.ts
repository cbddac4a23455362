import { GroupCommit, type Pending } from './group-commit.js'

/** An append, or several that are stored together. */
export interface SizedOp {
  /** UTF-8 bytes of its lines. */
  lineBytes: number
}

/** Appends in groups of at most so many appends and, as a rule, bytes. */
export function createAppendCommit<Op extends SizedOp, Result> (
  flush: (group: Pending<Op, Result>[]) => Promise<void>, maxOps: number, maxBytes: number
): GroupCommit<Op, Result> {
  return new GroupCommit(flush, { maxOps, maxWeight: maxBytes, weigh: ({ lineBytes }) => lineBytes })
}

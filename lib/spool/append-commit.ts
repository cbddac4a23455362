import { GroupCommit, type Pending } from './group-commit.js'
import type { Append, AppendResult } from './spool.js'

export interface SizedAppend {
  append: Append
  /** UTF-8 bytes of its lines. */
  lineBytes: number
}

export type AppendCommit = GroupCommit<SizedAppend, AppendResult>
export type PendingAppend = Pending<SizedAppend, AppendResult>

/** Appends in groups of at most so many appends and, as a rule, bytes. */
export function createAppendCommit (
  flush: (group: PendingAppend[]) => Promise<void>, maxOps: number, maxBytes: number
): AppendCommit {
  return new GroupCommit(flush, { maxOps, maxWeight: maxBytes, weigh: ({ lineBytes }) => lineBytes })
}

import type { Cluster, Redis } from 'ioredis'
import type { UnixMs } from '../../../schemas/common.js'
import { APPEND } from './append.lua.js'
import { EXTEND } from './extend.lua.js'
import { REDRIVE } from './redrive.lua.js'
import { RELEASE } from './release.lua.js'
import { REMOVE_DEAD_LETTER } from './remove-dead-letter.lua.js'
import { SETTLE } from './settle.lua.js'
import { TAKE } from './take.lua.js'

export type Argument = string | number | Buffer

/** `[milliseconds until a destination is due or -1, now]` or `[0, destination, attempt, entries]`. */
export type TakeReply = [number, UnixMs] | [0, Buffer, number, Buffer[]]

/** The scripts as commands; the first argument is the base name of kind and shard. */
export interface SpoolCommands {
  postmanAppend (base: string, ...args: Argument[]): Promise<string[]>
  postmanTakeBuffer (base: string, ...args: Argument[]): Promise<TakeReply>
  postmanSettle (base: string, ...args: Argument[]): Promise<number>
  postmanRelease (base: string, ...args: Argument[]): Promise<0 | 1>
  postmanExtend (base: string, ...args: Argument[]): Promise<0 | 1>
  postmanRedrive (base: string, ...args: Argument[]): Promise<-1 | 0 | 1>
  postmanRemoveDeadLetter (base: string, ...args: Argument[]): Promise<0 | 1>
}

export type SpoolClient = (Redis | Cluster) & SpoolCommands

/** Each is a command that answers with strings; `Buffer` behind its name makes it answer with bytes. */
const SCRIPTS = {
  postmanAppend: APPEND,
  postmanTake: TAKE,
  postmanSettle: SETTLE,
  postmanRelease: RELEASE,
  postmanExtend: EXTEND,
  postmanRedrive: REDRIVE,
  postmanRemoveDeadLetter: REMOVE_DEAD_LETTER
}

/** Adds the commands to a client that may have them already. */
export function withSpoolCommands (redis: Redis | Cluster): SpoolClient {
  for (const [name, lua] of Object.entries(SCRIPTS)) {
    if (!(name in redis)) redis.defineCommand(name, { numberOfKeys: 1, lua })
  }
  return redis as SpoolClient
}

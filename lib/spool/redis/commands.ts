import type { Cluster, Redis } from 'ioredis'
import { APPEND } from './append.lua.js'
import { EXTEND, RELEASE } from './lease.lua.js'
import { REDRIVE, REMOVE_LETTERS } from './letters.lua.js'
import { SETTLE } from './settle.lua.js'
import { TAKE } from './take.lua.js'

export type Argument = string | number | Buffer

/** `[milliseconds until due or -1, Unix milliseconds now]` or `[0, destination, attempt, entries]`. */
export type TakeReply = [number, number] | [0, Buffer, number, Buffer[]]

/** The scripts as commands; the first argument is the base name of kind and shard. */
export interface SpoolCommands {
  postmanAppend (base: string, ...args: Argument[]): Promise<string[]>
  postmanTakeBuffer (base: string, ...args: Argument[]): Promise<TakeReply>
  postmanSettle (base: string, ...args: Argument[]): Promise<number>
  postmanRelease (base: string, ...args: Argument[]): Promise<0 | 1>
  postmanExtend (base: string, ...args: Argument[]): Promise<0 | 1>
  postmanRedrive (base: string, ...args: Argument[]): Promise<-1 | 0 | 1>
  postmanRemoveLetters (base: string, ...args: Argument[]): Promise<(0 | 1)[]>
}

export type SpoolClient = (Redis | Cluster) & SpoolCommands

/** Each is a command that answers with strings, and with `Buffer` behind its name one that answers with bytes. */
const SCRIPTS = {
  postmanAppend: APPEND,
  postmanTake: TAKE,
  postmanSettle: SETTLE,
  postmanRelease: RELEASE,
  postmanExtend: EXTEND,
  postmanRedrive: REDRIVE,
  postmanRemoveLetters: REMOVE_LETTERS
}

/** Adds the commands to a client, which may have them already. */
export function withSpoolCommands (redis: Redis | Cluster): SpoolClient {
  for (const [name, lua] of Object.entries(SCRIPTS)) {
    if (!(name in redis)) redis.defineCommand(name, { numberOfKeys: 1, lua })
  }
  return redis as SpoolClient
}

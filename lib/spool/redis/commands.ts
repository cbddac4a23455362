import type { Cluster, Redis } from 'ioredis'
import type { UnixMs } from '../../../schemas/common.js'
import { APPEND } from './append.lua.js'
import { EXTEND } from './extend.lua.js'
import { PROBE } from './probe.lua.js'
import { RAISE_SHARDS } from './raise-shards.lua.js'
import { REDRIVE } from './redrive.lua.js'
import { RELEASE } from './release.lua.js'
import { REMOVE_DEAD_LETTER } from './remove-dead-letter.lua.js'
import { CLAIM_KEY, END_KEY } from './request-key.lua.js'
import { SETTLE } from './settle.lua.js'
import { TAKE } from './take.lua.js'

export type Argument = string | number | Buffer

/**
 * `[milliseconds until a destination is due or -1, now]` or
 * `[0, destination, attempt, application or '', entries, now]`.
 */
export type TakeReply = [number, UnixMs] | [0, Buffer, number, Buffer, Buffer[], UnixMs]

/** `[state, bytes of all keys of the shard, answer or name of the claim]` */
export type ClaimReply = ['claimed' | 'resumed' | 'answered' | 'under-way' | 'reused', number, string?]

/** The scripts as commands; the first argument is the base name of kind and shard. */
export interface SpoolCommands {
  postmanAppend (base: string, ...args: Argument[]): Promise<string[]>
  postmanTakeBuffer (base: string, ...args: Argument[]): Promise<TakeReply>
  postmanSettle (base: string, ...args: Argument[]): Promise<number>
  postmanRelease (base: string, ...args: Argument[]): Promise<0 | 1>
  postmanExtend (base: string, ...args: Argument[]): Promise<0 | 1>
  postmanRedrive (base: string, ...args: Argument[]): Promise<-1 | 0 | 1>
  postmanRemoveDeadLetter (base: string, ...args: Argument[]): Promise<0 | 1>
  postmanRaiseShards (key: string, shards: number): Promise<null>
  postmanClaimKey (base: string, ...args: Argument[]): Promise<ClaimReply>
  postmanEndKey (base: string, ...args: Argument[]): Promise<number>
  postmanProbe (base: string): Promise<null>
}

export type SpoolClient = (Redis | Cluster) & SpoolCommands

/**
 * Scripts that bring items into the spool. Each is a command that answers with strings; `Buffer` behind its name makes
 * it answer with bytes.
 */
const SCRIPTS_IN = {
  postmanAppend: APPEND,
  postmanRedrive: REDRIVE,
  postmanClaimKey: CLAIM_KEY,
  postmanProbe: PROBE
}

/** Scripts that lead items out of the spool, which takes a little memory, and frees more. */
const SCRIPTS_OUT = {
  postmanTake: TAKE,
  postmanSettle: SETTLE,
  postmanRelease: RELEASE,
  postmanExtend: EXTEND,
  postmanRemoveDeadLetter: REMOVE_DEAD_LETTER,
  postmanRaiseShards: RAISE_SHARDS,
  postmanEndKey: END_KEY
}

/**
 * The first bytes of a script that a server runs above its maxmemory, too; it must be at least of ALLOW_OOM_VERSION.
 */
const ALLOW_OOM = '#!lua flags=allow-oom\n'

/**
 * Adds the commands to a client that may have them already.
 * @param allowOom whether the server knows ALLOW_OOM
 */
export function withSpoolCommands (redis: Redis | Cluster, allowOom: boolean): SpoolClient {
  const head = allowOom ? ALLOW_OOM : ''
  const scripts = { ...SCRIPTS_IN, ...Object.fromEntries(Object.entries(SCRIPTS_OUT).map(([name, lua]) => [name, head + lua])) }
  for (const [name, lua] of Object.entries(scripts)) {
    if (!(name in redis)) redis.defineCommand(name, { numberOfKeys: 1, lua })
  }
  return redis as SpoolClient
}

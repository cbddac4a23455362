import { isSharded, type RedisClient } from '../../redis/redis-client.js'
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
 * `[milliseconds until a destination is due or -1, clock of kind and shard]` or
 * `[0, destination, attempt, application or '', entries, clock of kind and shard]`.
 */
export type TakeReply = [number, number] | [0, Buffer, number, Buffer, Buffer[], number]

/** `[state, bytes of all keys of the shard, answer or name of the claim]` */
export type ClaimReply = ['claimed' | 'resumed' | 'answered' | 'under-way' | 'reused', number, string?]

/** The scripts as commands; the first arguments are the keys of kind and shard. */
export interface SpoolCommands {
  postmanAppend (base: string, counters: string, ...args: Argument[]): Promise<string[]>
  postmanTakeBuffer (base: string, counters: string, ...args: Argument[]): Promise<TakeReply>
  postmanSettle (base: string, counters: string, ...args: Argument[]): Promise<number>
  postmanRelease (base: string, counters: string, ...args: Argument[]): Promise<0 | 1>
  postmanExtend (base: string, counters: string, ...args: Argument[]): Promise<0 | 1>
  postmanRedrive (base: string, counters: string, ...args: Argument[]): Promise<-1 | 0 | 1>
  postmanRemoveDeadLetter (base: string, counters: string, ...args: Argument[]): Promise<0 | 1>
  postmanRaiseShards (key: string, shards: number): Promise<null>
  postmanClaimKey (base: string, counters: string, ...args: Argument[]): Promise<ClaimReply>
  postmanEndKey (base: string, counters: string, ...args: Argument[]): Promise<[wasHeld: number, stored: number]>
  postmanProbe (base: string, counters: string): Promise<null>
}

export type SpoolClient = RedisClient & SpoolCommands

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
  postmanEndKey: END_KEY
}

/** A script for one key that is no base name. */
const SINGLE_KEY = { postmanRaiseShards: RAISE_SHARDS }

/**
 * The first bytes of a script that a server runs above its maxmemory, too; it must be at least of ALLOW_OOM_VERSION.
 */
const ALLOW_OOM = '#!lua flags=allow-oom\n'

/**
 * The keys that a script names of all those under a base name. Two of them, so that nodes that move the slot refuse the
 * script until it has moved; one of a single key they would run without the keys that have not come yet.
 */
export function keysOf (base: string): [string, string] {
  return [base, `${base}:counters`]
}

/**
 * Adds the commands to a client that may have them already.
 * @param allowOom whether the server knows ALLOW_OOM
 */
export function withSpoolCommands (redis: RedisClient, allowOom: boolean): SpoolClient {
  const head = allowOom ? ALLOW_OOM : ''
  const scripts = [
    ...Object.entries(SCRIPTS_IN),
    ...Object.entries({ ...SCRIPTS_OUT, ...SINGLE_KEY }).map(([name, lua]) => [name, head + lua] as const)
  ]
  for (const [name, lua] of scripts) {
    if (name in redis) continue
    redis.defineCommand(name, {
      numberOfKeys: name in SINGLE_KEY ? 1 : 2,
      lua: isSharded(redis) ? lua.replaceAll("'PUBLISH'", "'SPUBLISH'") : lua
    })
  }
  return redis as SpoolClient
}

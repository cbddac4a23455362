import type { Redis } from 'ioredis'
import { failsOver, mastersOf } from '../../redis/redis-client.js'
import { askHello, isAtLeast, isRefused, type Version } from '../../redis/server-facts.js'
import { SpoolConfigurationError, SpoolUnavailableError, type SpoolSync } from '../spool.js'
import type { Connection } from './connection.js'

/** The first version with the IDLE filter of XPENDING and LT of ZADD. */
const MIN_VERSION: Version = [6, 2]
const WAITAOF_VERSION: Version = [7, 2]
/** The first version with scripts that may run above maxmemory. */
const ALLOW_OOM_VERSION: Version = [7, 0]
/** How long a replica may take to show that it is there, where INFO does not tell. */
const REPLICA_WITHIN_MS = 1_000

/** The command that an append waits with, until more than the memory of the server has it. */
export type Durability = 'none' | 'waitaof' | 'wait'

type Info = Record<string, string>

export interface ServerAbilities {
  /** How an append has to wait. */
  durability: Durability
  /** Whether scripts may run above maxmemory. */
  allowOom: boolean
}

/** A node that takes writes. */
interface Master {
  redis: Redis
  /** Null where its user may not ask for it, as with some managed servers. */
  info: Info | null
  version: string | null
}

/**
 * Whether a master can still confirm appends as they ask for; an append that nobody confirms would hold the connection.
 * @throws SpoolUnavailableError
 */
export async function checkDurability (connection: Connection, redis: Redis, durability: Durability): Promise<void> {
  if (durability === 'none') return
  const info = await connection.run(() => infoOf(redis))
  if (info === null) return
  const { connected_slaves: replicas, aof_last_write_status: status } = info
  if (durability === 'wait' && !(Number(replicas) > 0)) {
    throw new SpoolUnavailableError('no replica is there to confirm appends (SPOOL_SYNC)')
  }
  if (durability === 'waitaof' && status !== 'ok') {
    throw new SpoolUnavailableError('no disk is there to confirm appends (SPOOL_SYNC)')
  }
}

/**
 * Checks that the server, and of a cluster every master, can hold the spool.
 * @throws SpoolConfigurationError when it cannot
 */
export async function checkServer (
  connection: Connection, sync: SpoolSync, onWarning: (message: string) => void
): Promise<ServerAbilities> {
  const masters = await Promise.all(mastersOf(connection.client).map(redis => connection.run(() => lookAt(redis))))
  const old = masters.find(({ version }) => version !== null && !isAtLeast(version, MIN_VERSION))
  if (old !== undefined) {
    throw new SpoolConfigurationError(
      `Redis ${old.version} (REDIS_URL) is too old for the spool, which needs ${MIN_VERSION.join('.')} or later`
    )
  }
  for (const warning of new Set(masters.flatMap(warningsOf))) onWarning(warning)
  return {
    durability: sync === 'commit' ? 'none' : await chooseDurability(connection, masters),
    allowOom: masters.every(hasAllowOom)
  }
}

async function lookAt (redis: Redis): Promise<Master> {
  const info = await infoOf(redis)
  return { redis, info, version: info?.redis_version ?? (await askHello(redis))?.version ?? null }
}

async function infoOf (redis: Redis): Promise<Info | null> {
  try {
    return parseInfo(await redis.info())
  } catch (error) {
    if (isRefused(error as Error)) return null
    throw error
  }
}

function hasAllowOom ({ version }: Master): boolean {
  return isAtLeast(version, ALLOW_OOM_VERSION)
}

/** What may lose records, or hold them up. */
function warningsOf (master: Master): string[] {
  const { info, version } = master
  const warnings: string[] = []
  const policy = info?.maxmemory_policy
  if (info === null) {
    warnings.push(
      'Redis (REDIS_URL) refuses INFO, so nobody knows its maxmemory-policy: make sure that it is noeviction, as it ' +
      'may else evict accepted items'
    )
  } else if (policy !== undefined && policy !== 'noeviction') {
    warnings.push(
      `Redis (REDIS_URL) has maxmemory-policy ${policy}, so it may evict accepted items: set it to noeviction`
    )
  }
  if (!hasAllowOom(master)) {
    warnings.push(
      `Redis ${version ?? 'of an unknown version'} (REDIS_URL) delivers nothing while it is above its maxmemory: ` +
      `keep its maxmemory well above SPOOL_MAX_BYTES, or use ${ALLOW_OOM_VERSION.join('.')} or later`
    )
  }
  return warnings
}

async function chooseDurability (connection: Connection, masters: Master[]): Promise<Durability> {
  if (failsOver(connection.client) && await hasToBeConfirmed(connection, masters)) return 'wait'
  for (const durability of ['none', 'waitaof', 'wait'] as const) {
    const able = await Promise.all(masters.map(master => connection.run(() => KEEPS[durability](master))))
    if (able.every(isAble => isAble)) return durability
  }
  const reason = masters.some(({ info }) => info === null)
    ? '. This one refuses INFO, and no replica of it has confirmed by WAIT; one that writes to several zones before ' +
      'it answers, as Amazon MemoryDB, needs no more than SPOOL_SYNC=commit'
    : await describeForbidden(connection, masters)
  throw new SpoolConfigurationError(
    'SPOOL_SYNC=always needs a Redis (REDIS_URL) that keeps the items it has answered for: set appendonly yes and ' +
    `appendfsync always, or appendonly yes on version 7.2 or later, or attach a replica${reason}`
  )
}

/**
 * A replica that takes over by itself has to confirm; no disk of its master would count. One that is away now may come
 * back, and then take over with what it had: so a cluster has replicas when one of its masters has, and Sentinels are
 * there for replicas alone.
 */
async function hasToBeConfirmed (connection: Connection, masters: Master[]): Promise<boolean> {
  const answers = await Promise.all(masters.map(({ redis }) =>
    connection.run(() => askUnlessRefused(redis, 'WAIT', 0, REPLICA_WITHIN_MS))))
  if (answers.includes(null)) return false
  if (!connection.client.isCluster) return masters.every(({ info }) => info !== null)
  const replicated = await Promise.all(masters.map(master => connection.run(() => KEEPS.wait(master))))
  return replicated.some(isReplicated => isReplicated)
}

/** The questions about disk and replicas that the user of the gateway may not ask. */
async function describeForbidden (connection: Connection, masters: Master[]): Promise<string> {
  const forbidden = new Set<string>()
  await Promise.all(masters.flatMap(({ redis }) => QUESTIONS.map(async question => {
    try {
      await connection.run(() => redis.call(...question))
    } catch (error) {
      if (/NOPERM/.test((error as Error).message)) forbidden.add(question[0])
    }
  })))
  if (forbidden.size === 0) return ''
  return `. The user of REDIS_URL may not ask ${[...forbidden].join(', ')}: allow it (docs/operations.md, "Which ` +
    'Redis")'
}

/** They wait for nothing. */
const QUESTIONS: Array<[command: string, ...args: Array<string | number>]> = [
  ['WAIT', 0, 1], ['WAITAOF', 0, 0, 1], ['CONFIG', 'GET', 'appendfsync']
]

/** Whether a master keeps what it has answered for, when an append waits in this way. */
const KEEPS: Record<Durability, (master: Master) => Promise<boolean>> = {
  none: async ({ redis, info }) => isAppendOnly(info) && await appendFsync(redis) === 'always',
  // Of the disk, and of replicas that INFO tells of, it is only seen whether the command is refused.
  async waitaof ({ redis, info, version }) {
    if (!isAppendOnly(info) || !isAtLeast(version, WAITAOF_VERSION)) return false
    return await askUnlessRefused(redis, 'WAITAOF', 0, 0, 1) !== null
  },
  async wait ({ redis, info }) {
    if (info !== null && !(Number(info.connected_slaves) > 0)) return false
    const needed = info === null ? 1 : 0
    return Number(await askUnlessRefused(redis, 'WAIT', needed, REPLICA_WITHIN_MS) ?? -1) >= needed
  }
}

/** @returns null when the server does not let its user ask */
async function askUnlessRefused (redis: Redis, command: string, ...args: number[]): Promise<unknown> {
  try {
    return await redis.call(command, ...args)
  } catch (error) {
    if (isRefused(error as Error)) return null
    throw error
  }
}

function isAppendOnly (info: Info | null): boolean {
  return info?.aof_enabled === '1'
}

/** Null where the server does not tell, as is the rule with managed ones. */
async function appendFsync (redis: Redis): Promise<string | null> {
  try {
    const reply: unknown = await redis.call('CONFIG', 'GET', 'appendfsync')
    return Array.isArray(reply) ? String(reply[1]) : null
  } catch {
    return null
  }
}

function parseInfo (info: string): Info {
  return Object.fromEntries(info.split('\r\n').filter(line => line.includes(':')).map(line => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1)]
  }))
}

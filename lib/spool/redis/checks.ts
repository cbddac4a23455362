import { SpoolConfigurationError, SpoolUnavailableError } from '../spool.js'
import type { Connection } from './connection.js'

/** The first version with the IDLE filter of XPENDING and LT of ZADD. */
const MIN_VERSION = [6, 2] as const
const WAITAOF_VERSION = [7, 2] as const
/** The first version with scripts that may run above maxmemory. */
const ALLOW_OOM_VERSION = [7, 0] as const

/** The command that an append waits with, until more than the memory of the server has it. */
export type Durability = 'none' | 'waitaof' | 'wait'

type Info = Record<string, string>

export interface ServerAbilities {
  /** How an append has to wait. */
  durability: Durability
  /** Whether scripts may run above maxmemory. */
  allowOom: boolean
}

/**
 * Checks that the server can hold the spool.
 * @throws SpoolConfigurationError when the server cannot
 */
export async function checkServer (connection: Connection, sync: 'commit' | 'always', onWarning: (message: string) => void): Promise<ServerAbilities> {
  const info = parseInfo(await connection.run(client => client.info()))
  const version = info.redis_version ?? '0'
  if (!isAtLeast(version, MIN_VERSION)) {
    throw new SpoolConfigurationError(`Redis ${version} (REDIS_URL) is too old for the spool, which needs ${MIN_VERSION.join('.')} or later`)
  }
  const policy = info.maxmemory_policy ?? 'noeviction'
  if (policy !== 'noeviction') {
    onWarning(`Redis (REDIS_URL) has maxmemory-policy ${policy}, so it may evict accepted items: set it to noeviction`)
  }
  const allowOom = isAtLeast(version, ALLOW_OOM_VERSION)
  if (!allowOom) {
    onWarning(`Redis ${version} (REDIS_URL) delivers nothing while it is above its maxmemory: keep its maxmemory well above SPOOL_MAX_BYTES, or use ${ALLOW_OOM_VERSION.join('.')} or later`)
  }
  return { durability: sync === 'commit' ? 'none' : await chooseDurability(connection, info, version), allowOom }
}

/**
 * Whether the server can still confirm appends as they ask for; an append that nobody confirms would hold the connection.
 * @throws SpoolUnavailableError
 */
export async function checkDurability (connection: Connection, durability: Durability): Promise<void> {
  if (durability === 'none') return
  const { connected_slaves: replicas, aof_last_write_status: status } = parseInfo(await connection.run(client => client.info()))
  if (durability === 'wait' && !(Number(replicas) > 0)) throw new SpoolUnavailableError('no replica is there to confirm appends (SPOOL_SYNC)')
  if (durability === 'waitaof' && status !== 'ok') throw new SpoolUnavailableError('no disk is there to confirm appends (SPOOL_SYNC)')
}

async function chooseDurability (connection: Connection, info: Info, version: string): Promise<Durability> {
  const appendOnly = info.aof_enabled === '1'
  if (appendOnly && await appendFsync(connection) === 'always') return 'none'
  if (appendOnly && isAtLeast(version, WAITAOF_VERSION)) return 'waitaof'
  if (Number(info.connected_slaves ?? 0) > 0) return 'wait'
  throw new SpoolConfigurationError('SPOOL_SYNC=always needs a Redis (REDIS_URL) that keeps the items it has answered for: ' +
    'set appendonly yes and appendfsync always, or appendonly yes on version 7.2 or later, or attach a replica')
}

/** Null where the server does not tell, as is the rule with managed ones. */
async function appendFsync (connection: Connection): Promise<string | null> {
  try {
    const reply: unknown = await connection.run(client => client.call('CONFIG', 'GET', 'appendfsync'))
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

function isAtLeast (version: string, [major, minor]: readonly [number, number]): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

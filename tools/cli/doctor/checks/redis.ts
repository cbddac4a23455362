import type { Cluster, Redis } from 'ioredis'
import { connectRedis, disconnectRedis, REDIS_MEND } from '../../../../lib/redis/connect.js'
import { describeAddress, readRedisUrl, type RedisAddress } from '../../../../lib/redis/redis-address.js'
import { isSharded, mastersOf, type RedisClient, type RedisCommand } from '../../../../lib/redis/redis-client.js'
import { askHello, isRefused } from '../../../../lib/redis/server-facts.js'
import { checkServer } from '../../../../lib/spool/redis/checks.js'
import { Connection } from '../../../../lib/spool/redis/connection.js'
import { SpoolConfigurationError } from '../../../../lib/spool/spool.js'
import { monotonicNow } from '../../../../lib/clock.js'
import type { Check } from '../check.js'
import type { Context } from '../context.js'
import { commandsOf } from '../redis-commands.js'
import { fault, ok, warning, type Finding } from '../report.js'

const ANSWER_TIMEOUT_MS = 3_000
const PINGS = 9
/** Each request waits for Redis at least once. */
const SLOW_MS = 10
const MIB = 2 ** 20
const RIGHTS_MEND = 'Give the user the rights of docs/operations.md, "Which Redis".'
const UNKNOWN_MEND = 'Allow it (docs/operations.md, "Which Redis"), or look into the settings of the service.'

type Info = Record<string, string>

/** A node that takes writes, and what it tells of itself. */
interface Master {
  /** Of several masters, the name of this one. */
  name: string
  redis: Redis
  /** Null where its user may not ask for it. */
  info: Info | null
}

function parseInfo (text: string): Info {
  return Object.fromEntries(text.split('\r\n').filter(line => line.includes(':')).map(line => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1)]
  }))
}

/** @returns null when the server does not let its user ask */
async function unlessRefused<T> (question: Promise<T>): Promise<T | null> {
  try {
    return await question
  } catch (error) {
    if (isRefused(error as Error)) return null
    throw error
  }
}

async function lookAt (redis: Redis, isOneOfMany: boolean): Promise<Master> {
  const { host, port } = redis.options
  const info = await unlessRefused(redis.info())
  return {
    name: isOneOfMany ? `Redis ${host}:${port}` : 'Redis', redis, info: info === null ? null : parseInfo(info)
  }
}

/** What the gateway itself finds when it starts: the version, and whether SPOOL_SYNC=always can be kept. */
async function checkAbilities (redis: RedisClient, { config }: Context): Promise<Finding> {
  const versions = await Promise.all(mastersOf(redis).map(async node => (await askHello(node))?.version ?? 'unknown'))
  const finding = [...new Set(versions)].join(', ')
  try {
    const { durability, allowOom } = await checkServer(
      new Connection(redis, ANSWER_TIMEOUT_MS), config.SPOOL_SYNC, () => {}
    )
    const confirmed = { none: '', waitaof: '; its disk confirms appends', wait: '; a replica confirms appends' }
    return allowOom
      ? ok('version of Redis', `${finding}${confirmed[durability]}`)
      : warning(
        'version of Redis', `${finding}, which delivers nothing while it is above its maxmemory`,
        'Use 7.0 or later, or keep maxmemory well above SPOOL_MAX_BYTES.'
      )
  } catch (error) {
    if (!(error instanceof SpoolConfigurationError)) throw error
    return fault('version of Redis', `${finding}: ${error.message}`, 'Use Redis 6.2 or later, as its message says.')
  }
}

function unknown (subject: string, command: string): Finding {
  return warning(subject, `unknown, as ${command} is refused`, UNKNOWN_MEND)
}

async function checkPersistence ({ name, redis, info }: Master): Promise<Finding> {
  const subject = `persistence of ${name}`
  if (info === null) return unknown(subject, 'INFO')
  if (info.aof_enabled !== '1') {
    return warning(
      subject, 'appendonly is no: what waits there is lost when Redis ends',
      'Set appendonly yes (CONFIG SET appendonly yes, and CONFIG REWRITE), unless a replica or the service keeps it.'
    )
  }
  if (info.aof_last_write_status !== undefined && info.aof_last_write_status !== 'ok') {
    return fault(
      subject, `the append-only file cannot be written: aof_last_write_status ${info.aof_last_write_status}`,
      'Look into the log of Redis: its disk is full or broken.'
    )
  }
  const reply = await unlessRefused(redis.call('CONFIG', 'GET', 'appendfsync'))
  const fsync = Array.isArray(reply) ? String(reply[1]) : null
  if (fsync === 'no') {
    return warning(
      subject, 'appendfsync is no: a power cut takes what the system had not yet written',
      'Set appendfsync everysec, or always.'
    )
  }
  return ok(subject, `appendonly yes, appendfsync ${fsync ?? 'unknown, as CONFIG is refused'}`)
}

function checkEviction ({ name, info }: Master): Finding {
  const subject = `maxmemory-policy of ${name}`
  if (info === null) return unknown(subject, 'INFO')
  const { maxmemory_policy: policy = 'unknown' } = info
  const mend = 'Set maxmemory-policy noeviction.'
  if (policy.startsWith('allkeys')) return fault(subject, `${policy}: Redis may evict items that wait`, mend)
  if (policy.startsWith('volatile')) {
    return warning(subject, `${policy}: Redis may evict idempotency keys, limits and receipts`, mend)
  }
  return ok(subject, policy)
}

function checkMemory ({ name, info }: Master, { config }: Context, masters: number): Finding[] {
  const limit = Number(info?.maxmemory ?? 0)
  const share = config.SPOOL_MAX_BYTES / masters
  if (!(limit > 0) || limit >= share * 2) return []
  return [warning(
    `maxmemory of ${name}`, `${Math.floor(limit / MIB)} MiB, and SPOOL_MAX_BYTES lets ` +
      `${Math.floor(share / MIB)} MiB of items wait there`,
    'Raise maxmemory to twice as much, or lower SPOOL_MAX_BYTES.'
  )]
}

/** Queues every command in a transaction, for which the server holds the rights of its user, and discards it. */
async function refusedCommands (redis: Redis, commands: RedisCommand[]): Promise<string[]> {
  const refused = new Set<string>()
  const note = (name: string) => (error: Error): void => {
    // Of a cluster, the keys may be of another node, which is seen after the rights.
    if (isRefused(error)) refused.add(name)
  }
  try {
    await redis.multi({ pipeline: false })
  } catch (error) {
    if (isRefused(error as Error)) return ['MULTI']
    throw error
  }
  await Promise.all(commands.map(([name, ...args]) => redis.call(name, ...args).catch(note(name))))
  await redis.discard().catch(note('DISCARD'))
  return [...refused]
}

/** A subscription would end the transaction of the client, so it is tried on a connection of its own. */
async function refusedSubscription (redis: RedisClient, node: Redis, prefix: string): Promise<string[]> {
  const channel = `{${prefix}:doctor}:channel`
  const subscriber = node.duplicate({ lazyConnect: true, retryStrategy: () => null })
  subscriber.on('error', () => {})
  const command = isSharded(redis) ? 'SSUBSCRIBE' : 'SUBSCRIBE'
  try {
    await subscriber.connect()
    await (isSharded(redis) ? subscriber.ssubscribe(channel) : subscriber.subscribe(channel))
    return []
  } catch (error) {
    return isRefused(error as Error) ? [command] : []
  } finally {
    subscriber.disconnect()
  }
}

async function checkRights (redis: RedisClient, { name, redis: node }: Master, { config }: Context): Promise<Finding> {
  const { REDIS_PREFIX: prefix } = config
  const subject = `rights at ${name}`
  const refused = [
    ...await refusedCommands(node, commandsOf(prefix, isSharded(redis))),
    ...await refusedSubscription(redis, node, prefix),
    ...redis.isCluster && await unlessRefused(node.cluster('SLOTS')) === null ? ['CLUSTER SLOTS'] : []
  ]
  return refused.length === 0
    ? ok(subject, `every command is allowed for the keys of ${prefix}; each was queued and none was run`)
    : fault(subject, `refused for the keys of ${prefix}: ${refused.join(', ')}`, RIGHTS_MEND)
}

async function checkLatency ({ name, redis }: Master): Promise<Finding> {
  const times: number[] = []
  for (let i = 0; i < PINGS; i++) {
    const startedAt = monotonicNow()
    await redis.ping()
    times.push(monotonicNow() - startedAt)
  }
  const median = times.sort((a, b) => a - b)[Math.floor(PINGS / 2)]!
  const finding = `an answer takes ${median.toFixed(1)} ms`
  return median < SLOW_MS
    ? ok(`latency of ${name}`, finding)
    : warning(
      `latency of ${name}`, `${finding}, for which each request waits`, 'Run Redis near the gateway, and less loaded.'
    )
}

async function checkCluster (cluster: Cluster): Promise<Finding[]> {
  const slots = await mastersOf(cluster)[0]!.cluster('SLOTS')
  const covered = slots.reduce((sum, [from, to]) => sum + to - from + 1, 0)
  const alone = new Set(slots.filter(([,, ...nodes]) => nodes.length < 2).map(([,, node]) => `${node[0]}:${node[1]}`))
  const state = ok('cluster', `${mastersOf(cluster).length} masters, ${covered} of 16384 slots`)
  if (alone.size === 0) return [state, ok('replicas', 'every master has one')]
  return [state, warning(
    'replicas', `none of ${[...alone].join(', ')}: nobody takes over when it fails`, 'Add a replica for each master.'
  )]
}

function checkReplicas (masters: Master[], address: RedisAddress): Finding[] {
  const count = masters[0]?.info?.connected_slaves
  if (address.form !== 'sentinel' || count === undefined) return []
  return [Number(count) > 0
    ? ok('replicas', `${count} of the master ${address.master}`)
    : warning('replicas', `the master ${address.master} has none: nobody takes over when it fails`, 'Add a replica.')]
}

async function connect (
  address: RedisAddress, { config, strikeSecrets }: Context
): Promise<{ redis: RedisClient | null, findings: Finding[] }> {
  const told: string[] = []
  const subject = describeAddress(address)
  try {
    const redis = await connectRedis(address, {
      sentinelPassword: config.REDIS_SENTINEL_PASSWORD, strikeSecrets, onWarning: message => told.push(message)
    })
    redis.on('error', () => {})
    const form = redis.isCluster ? 'a cluster' : address.form === 'sentinel' ? 'the master of Sentinels' : 'one node'
    return {
      redis,
      findings: [
        ok(subject, `connected: ${form}`),
        ...told.map(message => warning('Sentinels', message, 'Start more Sentinels, or lower their quorum.'))
      ]
    }
  } catch (error) {
    const finding = (error as Error).message.replace(` ${REDIS_MEND}`, '')
    return { redis: null, findings: [fault(subject, finding, REDIS_MEND)] }
  }
}

/** Redis as the gateway would use it. What its user may not ask is unknown, which is no fault. */
export const redis: Check = {
  name: 'redis',
  async run (context) {
    const address = readRedisUrl(context.config.REDIS_URL ?? '')
    if (address === null) return [ok('Redis', 'not used: REDIS_URL is not set')]
    const { redis, findings } = await connect(address, context)
    if (redis === null) return findings
    try {
      const nodes = mastersOf(redis)
      const masters = await Promise.all(nodes.map(node => lookAt(node, nodes.length > 1)))
      const ofMasters = await Promise.all(masters.map(async master => [
        await checkPersistence(master), checkEviction(master), ...checkMemory(master, context, masters.length),
        await checkLatency(master), await checkRights(redis, master, context)
      ]))
      return [
        ...findings, await checkAbilities(redis, context), ...ofMasters.flat(),
        ...redis.isCluster ? await checkCluster(redis as Cluster) : checkReplicas(masters, address)
      ]
    } finally {
      await disconnectRedis(redis)
    }
  }
}

import t, { type Test } from 'tap'
import { Redis, type RedisOptions } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { keyBytesOf } from '../../../../lib/spool/key-limits.js'
import { openRedisSpool, type RedisSpoolOptions } from '../../../../lib/spool/redis/redis-spool.js'
import { SpoolFullError, SpoolUnavailableError, type Spool } from '../../../../lib/spool/spool.js'
import { killAppender } from '../../../helpers/kill-appender.js'
import { canStepClocks, createSteppedClock, NO_STEPS } from '../../../helpers/stepped-clock.js'
import { startServer } from '../../../helpers/redis-server.js'
import type { RedisServer } from '../../../../tools/shared/redis.js'
import {
  append, checkShardChanges, drain, itemsOf, letter, names, record, records, spoolOptions, takeSoon
} from '../contract.js'

const BATCH = { items: 500, bytes: 1_000_000 }
const LIMITS = { metrics: BATCH, logs: BATCH, metering: BATCH }
const STEPS = { skip: canStepClocks() ? false : NO_STEPS }
const KEYED = { application: 'shop', key: 'k', digest: 'digest', answer: 'first', holdMs: 300 }
const APPENDS = ['a', 'b', 'c', 'd'].map((destination, i) =>
  ({ kind: 'logs' as const, destination, records: [record(i)], part: `${i}` }))

function connect (t: Test, { url }: RedisServer, options: RedisOptions = {}): Redis {
  const redis = new Redis(url, { retryStrategy: () => 50, ...options })
  redis.on('error', () => {})
  t.teardown(() => redis.disconnect())
  return redis
}

async function open (t: Test, redis: Redis, options: Partial<RedisSpoolOptions> = {}): Promise<Spool> {
  const spool = await openRedisSpool({
    ...spoolOptions({ limits: LIMITS }), redis, shards: 2, sync: 'commit', commandTimeoutMs: 1_000, ...options
  })
  t.teardown(() => spool.close())
  return spool
}

for (const after of [1, 700]) {
  t.test(`has all that a process acknowledged that was killed after ${after} appends`, async t => {
    const started = await startServer(t)
    const acknowledged = await killAppender('redis', started.url, spoolOptions({ limits: LIMITS }), after)
    const spool = await open(t, connect(t, started))
    const { accepted, inSpool } = await spool.ledger()
    t.equal(accepted, inSpool)
    const found = await drain(spool)
    t.equal(found.length, accepted)
    const stored = new Set(found)
    t.same(acknowledged.filter(number => !stored.has(`${number}.0`) || !stored.has(`${number}.1`)), [])
    t.equal(stored.size, accepted, 'nothing is stored twice')
  })
}

t.test('has all that it acknowledged after a server was killed that writes every answer to the disk', async t => {
  const started = await startServer(t, { appendfsync: 'always' })
  const spool = await open(t, connect(t, started), { sync: 'always' })
  const acknowledged: string[] = []
  let failed: Error | null = null
  const appending = Promise.all(Array.from({ length: 8 }, async (_, caller) => {
    for (let i = 0; failed === null; i++) {
      try {
        await append(spool, `d${i % 3}`, record(`${caller}.${i}`))
        acknowledged.push(`${caller}.${i}`)
      } catch (error) {
        failed = error as Error
      }
    }
  }))
  while (acknowledged.length < 100) await sleep(5)
  await started.kill()
  await appending
  t.type(failed, SpoolUnavailableError)
  const calls: Array<Promise<unknown>> = [append(spool, 'd', record('while away')), spool.probe(), spool.take('logs')]
  await Promise.all(calls.map(call => t.rejects(call, SpoolUnavailableError)))
  await started.restart()
  await spool.probe()
  const found = new Set(await drain(spool))
  t.same(acknowledged.filter(name => !found.has(name)), [])
  t.notOk(found.has('while away'), 'what was refused is not stored later')
  await t.resolves(append(spool, 'd', record('again')))
})

t.test('settles and releases after an outage', async t => {
  const started = await startServer(t, { appendfsync: 'always' })
  const spool = await open(t, connect(t, started))
  await append(spool, 'settled', record('a'))
  await append(spool, 'released', record('b'))
  const leases = [await takeSoon(spool), await takeSoon(spool)]
  await started.kill()
  const done = Promise.all(leases.map(lease =>
    lease.destination === 'settled' ? spool.settle(lease, { delivered: 1 }) : spool.release(lease, 0)))
  await sleep(300)
  await started.restart()
  await done
  t.match(await spool.ledger(), { accepted: 2, delivered: 1, inSpool: 1 })
  t.same(names(await takeSoon(spool)), ['b'])
})

t.test('a settlement whose answer was lost counts as stored, and one of a lease that others have does not', async t => {
  const started = await startServer(t)
  const redis = connect(t, started)
  const spool = await open(t, redis, { leaseMs: 500 })
  await append(spool, 'd', record('a'))
  const lease = await takeSoon(spool)
  const settle = Reflect.get(redis, 'postmanSettle') as (...args: unknown[]) => Promise<number>
  let lost = 0
  Reflect.set(redis, 'postmanSettle', async (...args: unknown[]) => {
    const answer = await Reflect.apply(settle, redis, args)
    if (lost++ === 0) throw new Error('read ECONNRESET')
    return answer
  })
  t.equal(await spool.settle(lease, { delivered: 1 }), true)
  t.equal(lost, 2)
  t.match(await spool.ledger(), { delivered: 1, inSpool: 0 })
  await append(spool, 'd', record('b'))
  const [first, second] = [await takeSoon(spool), await takeSoon(spool)]
  t.equal(await spool.settle(first, { delivered: 1 }), false)
  t.equal(await spool.settle(second, { delivered: 1 }), true)
})

t.test('gives up a settlement when the spool closes during an outage', async t => {
  const started = await startServer(t)
  const spool = await open(t, connect(t, started))
  await append(spool, 'd', record('a'))
  const lease = await takeSoon(spool)
  await started.kill()
  const settled = t.rejects(spool.settle(lease, { delivered: 1 }), SpoolUnavailableError)
  await sleep(50)
  await spool.close()
  await settled
})

t.test('a server that hangs is unavailable, not an eternal wait', async t => {
  const started = await startServer(t)
  const spool = await open(t, connect(t, started))
  await append(spool, 'd', record('before'))
  process.kill(started.pid(), 'SIGSTOP')
  const startedAt = Date.now()
  await Promise.all([
    t.rejects(append(spool, 'd', record('a')), SpoolUnavailableError),
    t.rejects(append(spool, 'e', record('b')), SpoolUnavailableError)
  ])
  t.ok(Date.now() - startedAt < 10_000)
  process.kill(started.pid(), 'SIGCONT')
  await t.resolves(append(spool, 'd', record('after')))
  const found = await drain(spool)
  t.ok(found.includes('before') && found.includes('after'))
})

t.test('nothing acknowledged is lost or stored twice when connections break', async t => {
  const started = await startServer(t)
  const redis = connect(t, started, { maxRetriesPerRequest: null })
  const killer = connect(t, started)
  const spool = await open(t, redis)
  const acknowledged: number[] = []
  let next = 0
  const end = Date.now() + 1_500
  await Promise.all([
    ...Array.from({ length: 16 }, async () => {
      while (Date.now() < end) {
        const number = next++
        await append(spool, `d${number % 3}`, record(number)).then(() => acknowledged.push(number), () => {})
      }
    }),
    (async () => {
      while (Date.now() < end) {
        await sleep(60)
        await killer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      }
    })()
  ])
  t.ok(acknowledged.length > 0)
  const { accepted } = await spool.ledger()
  const found = await drain(spool)
  t.equal(found.length, accepted)
  t.equal(new Set(found).size, found.length, 'nothing is stored twice')
  const stored = new Set(found)
  t.same(acknowledged.filter(number => !stored.has(number)), [], 'nothing is lost')
})

t.test('a server out of memory is a full spool, which still settles', async t => {
  const started = await startServer(t, { args: ['--maxmemory', '8mb'] })
  const spool = await open(t, connect(t, started))
  const large = { line: 'x'.repeat(100_000), items: 1, bytes: 100_000 }
  let stored = 0
  await t.rejects(async () => {
    for (; stored < 1_000; stored++) await append(spool, 'd', large)
  }, SpoolFullError)
  t.ok(stored > 3)
  const lease = await takeSoon(spool)
  const deadLetter = { ...large, items: itemsOf(lease), reason: 'refused' as const, message: 'no' }
  await spool.settle(lease, { delivered: 0, deadLetters: [deadLetter] })
  await t.resolves(append(spool, 'd', large))
  const accepted = stored + 1
  t.match(await spool.ledger(), { accepted, deadLettered: itemsOf(lease), inSpool: accepted - itemsOf(lease) })
})

/** What the server has of times, as if its clock had been set back by this much since. */
async function setBack (redis: Redis, byMs: number): Promise<void> {
  for (const key of await redis.keys('*:due')) {
    const base = key.slice(0, -':due'.length)
    for (const dest of await redis.call('ZRANGE', key, 0, -1) as string[]) await redis.zincrby(key, byMs, dest)
    const [seconds] = await redis.time() as unknown as [string]
    await redis.hset(`${base}:counters`, 'clock', Number(seconds) * 1_000 + byMs)
    for (const stream of await redis.keys(`${base}:q:*`)) {
      for (const [id, owner] of await redis.xpending(stream, 'forwarders', '-', '+', 100) as Array<[string, string]>) {
        await redis.call('XCLAIM', stream, 'forwarders', owner, 0, id, 'TIME', Date.now() + byMs, 'JUSTID')
      }
    }
  }
}

t.test('a server whose clock is set back delays nothing, and ends the leases of the dead all the same', async t => {
  const started = await startServer(t)
  const redis = connect(t, started)
  const spool = await open(t, redis, { lingerMs: 300, leaseMs: 1_000 })
  await append(spool, 'leased', record('leased'))
  t.same(names(await takeSoon(spool)), ['leased'])
  await append(spool, 'lingers', record('lingers'))
  await setBack(redis, 600_000)
  t.same(names(await takeSoon(spool)), ['lingers'])
  await append(spool, 'new', record('new'))
  t.same(names(await takeSoon(spool)), ['new'])
  t.same(names(await takeSoon(spool)), ['leased'], 'its lease has expired')
  t.ok((await spool.depth()).oldestAgeMs < 60_000)
})

t.test('the dead letters of a server whose clock was set back come behind those of before', STEPS, async t => {
  const clock = createSteppedClock(t)
  const started = await startServer(t, { environment: clock.environment })
  const spool = await open(t, connect(t, started), { shards: 1 })
  for (const [byMs, name] of [[0, 'before'], [-600_000, 'after']] as const) {
    clock.set(byMs)
    await append(spool, name, record(name))
    await spool.settle(await takeSoon(spool), { delivered: 0, deadLetters: [letter(name)] })
  }
  const { deadLetters } = await spool.deadLetters.list({}, { limit: 10 })
  t.same(deadLetters.map(({ destination }) => destination), ['before', 'after'])
})

t.test('idempotency keys of a server whose clock was set back are not the first to be forgotten', STEPS, async t => {
  const clock = createSteppedClock(t)
  const started = await startServer(t, { environment: clock.environment })
  const inShard = 8
  const spool = await open(t, connect(t, started), { maxBytes: 4 * 16 * inShard * keyBytesOf('answer') })
  // All in one shard of the keys.
  const keys = Array.from({ length: 400 }, (_, i) => `key ${i}`).filter(key => crc32(key) % 4 === 0)
  const store = async (i: number): Promise<string> => {
    const result = await spool.appendOnce(APPENDS.slice(0, 1), { ...KEYED, key: keys[i]!, answer: 'answer' })
    if (result.state === 'stored') await result.finish()
    return result.state
  }
  for (let i = 0; i < 2 * inShard; i++) await store(i)
  clock.set(-10_800_000)
  await store(50)
  clock.set(0)
  for (let i = 60; i < 64; i++) await store(i)
  t.equal(await store(50), 'answered')
  t.not(await store(0), 'answered', 'the oldest is forgotten')
})

t.test('a server whose clock is set back and forward while nobody takes ends no lease', STEPS, async t => {
  const clock = createSteppedClock(t)
  const started = await startServer(t, { environment: clock.environment })
  const options = { leaseMs: 1_000, shards: 1 }
  const [holder, other] = [await open(t, connect(t, started), options), await open(t, connect(t, started), options)]
  await append(holder, 'd', record('a'))
  const lease = await takeSoon(holder)
  t.equal((await other.take('logs')).lease, null)
  clock.set(-600_000)
  // The forwarders are busy, while items come in and leases are extended.
  await append(holder, 'e', record('b'))
  t.equal(await holder.extend(lease), true)
  clock.set(0)
  for (let i = 0; i < 3; i++) {
    const { lease: taken } = await other.take('logs')
    if (taken !== null) t.same(names(taken), ['b'])
  }
  t.equal(await holder.extend(lease), true)
  t.equal(await holder.settle(lease, { delivered: 1 }), true)
})

t.test('a process that starts when the clock of the server was set forward ends no lease of others', STEPS, async t => {
  const clock = createSteppedClock(t)
  const started = await startServer(t, { environment: clock.environment })
  const holder = await open(t, connect(t, started), { leaseMs: 1_000 })
  await append(holder, 'd', record('a'))
  const lease = await takeSoon(holder)
  clock.set(600_000)
  // What others call meanwhile tells it nothing.
  await append(holder, 'e', record('b'))
  t.equal(await holder.extend(lease), true)
  clock.set(10_800_000)
  const fresh = await open(t, connect(t, started), { leaseMs: 1_000 })
  for (let i = 0; i < 3; i++) {
    const { lease: taken } = await fresh.take('logs')
    if (taken !== null) t.same(names(taken), ['b'])
  }
  t.equal(await holder.settle(lease, { delivered: 1 }), true)
})

t.test('a server whose clock is set forward ends no lease before its time', STEPS, async t => {
  const clock = createSteppedClock(t)
  const started = await startServer(t, { environment: clock.environment })
  const holder = await open(t, connect(t, started), { leaseMs: 1_000 })
  const other = await open(t, connect(t, started), { leaseMs: 1_000 })
  for (const name of ['a', 'b', 'c', 'd']) await append(holder, name, record(name))
  const leases = [await takeSoon(holder), await takeSoon(holder), await takeSoon(holder)]
  const rest = await takeSoon(other)
  // Each of them has asked both shards, as a forwarder does all the time.
  for (const spool of [holder, other, holder, other]) t.equal((await spool.take('logs')).lease, null)
  for (const byMs of [600_000, 0, 10_800_000]) {
    for (const lease of leases) t.equal(await holder.extend(lease), true)
    t.equal(await other.extend(rest), true)
    clock.set(byMs)
    for (const spool of [other, holder, other, holder]) {
      t.equal((await spool.take('logs')).lease, null, `set by ${byMs} ms`)
    }
  }
  await Promise.all([
    ...leases.map(lease => holder.settle(lease, { delivered: itemsOf(lease) })), other.release(rest, 0)
  ])
  t.match(await other.ledger(), { delivered: 3, inSpool: 1 })
  await takeSoon(other)
  t.same(names(await takeSoon(holder)), names(rest), 'the lease of a process that has ended expires all the same')
})

t.test('two processes never lease a record both, and see what the other does', async t => {
  const started = await startServer(t)
  const spools = [await open(t, connect(t, started)), await open(t, connect(t, started, { protocol: 2 }))]
  const count = 400
  const found: unknown[] = []
  await Promise.all(Array.from({ length: count }, (_, i) => append(spools[i % 2]!, `d${i % 5}`, record(i))))
  await Promise.all(spools.map(async spool => {
    while (found.length < count) {
      const { lease } = await spool.take('logs')
      if (lease === null) await sleep(2)
      else {
        found.push(...names(lease))
        await spool.settle(lease, { delivered: itemsOf(lease) })
      }
    }
  }))
  t.equal(found.length, count)
  t.equal(new Set(found).size, count)
  t.same(await spools[0]!.ledger(), await spools[1]!.ledger())
})

t.test('of two processes with one idempotency key one stores, and the other hears of it', async t => {
  const started = await startServer(t)
  const redis = connect(t, started)
  const spools = [await open(t, connect(t, started)), await open(t, connect(t, started))]
  const results = await Promise.all(spools.map(spool => spool.appendOnce(APPENDS, KEYED)))
  t.same(results.map(({ state }) => state).sort(), ['stored', 'under-way'])
  for (const result of results) if (result.state === 'stored') await result.finish('replaced')
  for (const spool of spools) {
    t.same(await spool.appendOnce(APPENDS, KEYED), { state: 'answered', answer: 'replaced' })
    t.same(await spool.appendOnce(APPENDS, { ...KEYED, digest: 'another' }), { state: 'reused' })
  }
  t.match(await spools[0]!.ledger(), { accepted: 4, inSpool: 4 })
  t.same(await redis.keys('*:logs:*:k:*'), [], 'no mark is left of the appends')
})

t.test('a repeated request goes on where its first process has ended, and stores nothing twice', async t => {
  const started = await startServer(t)
  const first = await open(t, connect(t, started))
  const second = await open(t, connect(t, started))
  // A process that ends before `finish`, with half of the appends.
  t.match(await first.appendOnce(APPENDS.slice(0, 2), KEYED), { state: 'stored' })
  t.same(await second.appendOnce(APPENDS, KEYED), { state: 'under-way' })
  await sleep(KEYED.holdMs + 50)
  const resumed = await second.appendOnce(APPENDS, { ...KEYED, answer: 'second' })
  t.equal(resumed.state, 'stored')
  if (resumed.state === 'stored') await resumed.finish()
  t.match(await second.ledger(), { accepted: 4 })
  t.same((await drain(second)).sort(), [0, 1, 2, 3])
  t.same(await first.appendOnce(APPENDS, KEYED), { state: 'answered', answer: 'second' })
})

t.test('a process that finishes a request too late makes a third one store nothing twice', async t => {
  const started = await startServer(t)
  const first = await open(t, connect(t, started))
  const second = await open(t, connect(t, started))
  const late = await first.appendOnce(APPENDS.slice(0, 2), KEYED)
  await sleep(KEYED.holdMs + 50)
  t.match(await second.appendOnce(APPENDS, KEYED), { state: 'stored' })
  if (late.state === 'stored') await late.finish()
  await sleep(KEYED.holdMs + 50)
  t.same(await first.appendOnce(APPENDS, KEYED), { state: 'answered', answer: KEYED.answer })
  t.match(await second.ledger(), { accepted: 4 })
})

t.test('the lease of a process that vanished is taken over', async t => {
  const started = await startServer(t)
  const vanished = connect(t, started)
  const first = await open(t, vanished, { leaseMs: 200 })
  await append(first, 'd', ...records(3))
  const lost = await takeSoon(first)
  vanished.disconnect()
  const redis = connect(t, started)
  const second = await open(t, redis, { leaseMs: 200 })
  const taken = await takeSoon(second)
  t.same(taken.records, lost.records)
  await second.settle(taken, { delivered: 3 })
  t.match(await second.ledger(), { delivered: 3, inSpool: 0 })
  t.same((await redis.keys('*:q:*')), [], 'nothing is left of the destination')
})

t.test('one process hears what becomes due in another', async t => {
  const started = await startServer(t)
  const web = await open(t, connect(t, started), { lingerMs: 60_000 })
  const forwarder = await open(t, connect(t, started), { lingerMs: 60_000 })
  const heard = new Promise(resolve => forwarder.onDue(resolve))
  await sleep(200)
  await web.append({ kind: 'metering', destination: 'd', records: records(1), urgent: true })
  t.equal(await heard, 'metering')
})

t.test('sees room and want of room that others make', async t => {
  const started = await startServer(t)
  const options = { maxBytes: 10 * Buffer.byteLength(record(0).line) }
  const [one, other] = [await open(t, connect(t, started), options), await open(t, connect(t, started), options)]
  await append(one, 'a', ...records(10))
  await t.rejects(append(other, 'b', record(0)), SpoolFullError)
  await one.settle(await takeSoon(one), { delivered: 10 })
  await sleep(300)
  await t.resolves(append(other, 'b', record(0)))
})

t.test('what an application has had delivered leaves its share, also while items of others wait', async t => {
  const started = await startServer(t)
  const size = Buffer.byteLength(record('x').line)
  const options = { maxBytes: 30 * size, isShared: () => true, shards: 1 }
  const send = (spool: Spool, application: string, count: number): Promise<void> =>
    spool.append({
      kind: 'logs',
      application,
      destination: application,
      records: Array.from({ length: count }, () => record('x'))
    })
  const spool = await open(t, connect(t, started), options)
  await send(spool, 'other', 10)
  await takeSoon(spool)
  for (let i = 0; i < 5; i++) {
    await send(spool, 'shop', 6)
    await spool.settle(await takeSoon(spool), { delivered: 6 })
  }
  const fresh = await open(t, connect(t, started), options)
  await t.rejects(send(fresh, 'shop', 14), { name: 'ShareFullError' })
  await t.resolves(send(fresh, 'shop', 13))
})

t.test('finds everything after the number of shards was changed', async t => {
  const redis = connect(t, await startServer(t))
  await checkShardChanges(t, shards => open(t, redis, { shards }))
})

t.test('warns about a server that may evict', async t => {
  const warnings: string[] = []
  const onWarning = (message: string): void => { warnings.push(message) }
  await open(t, connect(t, await startServer(t)), { onWarning })
  t.same(warnings, [])
  await open(t, connect(t, await startServer(t, { args: ['--maxmemory-policy', 'allkeys-lru'] })), { onWarning })
  t.match(warnings, [/maxmemory-policy allkeys-lru.*noeviction/])
})

t.test('below 7.0 it says that a server above its maxmemory delivers nothing, and works below it', async t => {
  const warnings: string[] = []
  const redis = connect(t, await startServer(t))
  await redis.ping()
  const { info } = redis
  redis.info = async () => (await info.call(redis)).replace(/redis_version:\S+/, 'redis_version:6.2.14')
  const spool = await open(t, redis, { onWarning: message => { warnings.push(message) } })
  t.match(warnings, [/Redis 6\.2\.14 \(REDIS_URL\).*maxmemory.*7\.0/])
  await append(spool, 'd', record('a'))
  const lease = await takeSoon(spool)
  await spool.extend(lease)
  await spool.settle(lease, { delivered: itemsOf(lease) })
  await redis.config('SET', 'maxmemory', 1)
  await t.rejects(append(spool, 'd', record('b')), SpoolFullError)
})

t.test('always durable means a disk or a replica, or no start', async t => {
  const plain = await startServer(t, { args: ['--repl-diskless-sync-delay', '0'] })
  await t.rejects(open(t, connect(t, plain), { sync: 'always' }), {
    name: 'SpoolConfigurationError', message: /SPOOL_SYNC=always.*appendfsync always/
  })
  const replica = await startServer(t, { args: ['--replicaof', '127.0.0.1', String(plain.port)] })
  const redis = connect(t, plain)
  for (let i = 0; i < 200 && !(await redis.info('replication')).includes('state=online'); i++) await sleep(50)
  const spool = await open(t, redis, { sync: 'always', commandTimeoutMs: 10_000 })
  await t.resolves(append(spool, 'd', record('a')))
  const copy = connect(t, replica)
  t.equal((await copy.keys('*:q:d')).length, 1, 'the replica has it')
  const onReplica = open(t, connect(t, replica)).then(spool => append(spool, 'd', record('b')))
  await t.rejects(onReplica, SpoolUnavailableError, 'a replica itself takes nothing')

  await t.test('with SPOOL_SYNC=always a probe asks whether a replica is there', async t => {
    await t.resolves(spool.probe())
    await replica.kill()
    for (let i = 0; i < 200 && !(await redis.info('replication')).includes('connected_slaves:0'); i++) await sleep(50)
    await t.rejects(spool.probe(), { name: 'SpoolUnavailableError', message: /no replica/ })
  })
})

t.test('an address where nothing answers is unavailable', async t => {
  const started = await startServer(t)
  await started.kill()
  await t.rejects(open(t, connect(t, started)), SpoolUnavailableError)
})

import { mock } from 'node:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { open } from 'lmdb'
import t from 'tap'
import { LmdbStateStore } from '../../../lib/state/lmdb-store.js'
import { RedisStateStore } from '../../../lib/state/redis-store.js'
import type { StateStore } from '../../../lib/state/store.js'
import { DAY_MS } from '../../../schemas/common.js'
import { BACKENDS, eventually, redisEnvironment } from '../../helpers/app.js'
import type { Teardown } from '../../helpers/teardown.js'

/** Names and forms that processes of other versions read and write beside this one. */
const NOW = Date.parse('2026-11-22T10:00:00Z')
const DAY = '2026-11-22'
const SHOP = {
  id: 'application:shop',
  application: 'shop',
  issuedBefore: NOW - 1_000,
  revokedAt: NOW,
  expiresAt: NOW + DAY_MS
}
const TOKEN = { id: 'jti:j', jti: 'j', revokedAt: NOW, expiresAt: NOW + DAY_MS }

type Revocation = typeof SHOP | (typeof TOKEN & { issuedBefore?: never })
const revocationsOf = (store: StateStore) => store.versionedSet<Revocation>('revocations', 'issuedBefore')

t.test('in Redis', { skip: !BACKENDS.some(backend => backend === 'redis') }, async t => {
  const { REDIS_URL, REDIS_PREFIX: prefix = 'cloudwatch-postman' } = await redisEnvironment(t)
  const [redis, other, listener] = [new Redis(REDIS_URL!), new Redis(REDIS_URL!), new Redis(REDIS_URL!)]
  const store = new RedisStateStore({ redis, prefix, now: () => NOW })
  t.teardown(async () => {
    await store.close()
    for (const client of [redis, other, listener]) client.disconnect()
  })

  t.test('keys that are set', async t => {
    await other.set(`${prefix}:claim:taken`, 1, 'PX', 60_000, 'NX')
    t.notOk(await store.setIfAbsent('taken', 60_000))
    t.ok(await store.setIfAbsent('free', 60_000))
    t.equal(await other.get(`${prefix}:claim:free`), '1')
    await other.set(`${prefix}:kept:a`, 'text', 'PX', 60_000)
    t.same(await store.getMany(['a']), new Map([['a', 'text']]))
    await store.setMany({ b: 'text' }, 60_000)
    t.equal(await other.get(`${prefix}:kept:b`), 'text')
    await store.countInWindows([{ key: 'ip:1', by: 3, windowMs: 60_000 }])
    t.equal(await other.get(`${prefix}:window:ip:1`), '3')
  })

  t.test('sets', async t => {
    const [heard, published]: [string[], string[]] = [[], []]
    const set = revocationsOf(store)
    await set.subscribe(({ id }) => heard.push(id))
    await listener.subscribe(`${prefix}:revocations`)
    listener.on('message', (_channel, message) => published.push(message))
    await other.hset(`${prefix}:revocations`, SHOP.id, JSON.stringify(SHOP))
    await other.hincrby(`${prefix}:revocations`, 'version', 1)
    await other.publish(`${prefix}:revocations`, JSON.stringify(SHOP))
    t.equal(await set.version(), 1)
    t.same(await set.list(), [SHOP])
    await set.put({ ...SHOP, issuedBefore: SHOP.issuedBefore - 1 })
    await set.put(TOKEN)
    await eventually(() => published.length === 3 && heard.length === 3 ? true : undefined)
    t.same(heard, [SHOP.id, SHOP.id, TOKEN.id])
    t.equal(published[2], JSON.stringify(TOKEN))
    t.same(await other.hgetall(`${prefix}:revocations`), {
      [SHOP.id]: JSON.stringify(SHOP), [TOKEN.id]: JSON.stringify(TOKEN), version: '2'
    })
  })

  t.test('a version of a set does not come back after the server has lost its data', async t => {
    const set = revocationsOf(store)
    const versions: number[] = []
    for (let i = 0; i < 2; i++) {
      await other.del(`${prefix}:revocations`)
      await set.put(TOKEN)
      versions.push(await set.version())
    }
    t.ok(versions[1]! > versions[0]!, versions.join(', '))
    await set.put(SHOP)
    t.equal(await set.version(), versions[1]! + 1)
  })

  t.test('counters and registers', async t => {
    await other.hincrby(`${prefix}:usage:${DAY}`, 'shop:logs:items', 5)
    t.same(await store.dailyCounters('usage').add(DAY, { 'shop:logs:items': 2 }), { 'shop:logs:items': 7 })
    t.same(await other.hgetall(`${prefix}:usage:${DAY}`), { 'shop:logs:items': '7' })
    await other.setrange(`${prefix}:series:${DAY}:shop`, 2, '\x09')
    await store.dailyRegisters('series').merge(DAY, 'shop', [[1, 4], [2, 3]])
    t.same([...await other.getBuffer(`${prefix}:series:${DAY}:shop`) ?? []], [0, 4, 9])
    for (const key of [`usage:${DAY}`, `series:${DAY}:shop`]) {
      t.equal(Math.round(await other.ttl(`${prefix}:${key}`) * 1_000 / DAY_MS), 35, 'days to live')
    }
  })
})

async function folder (t: Teardown): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'state-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

function openDatabases (path: string) {
  const root = open({ path, noSubdir: false, eventTurnBatching: false })
  return {
    claims: root.openDB<number, string>('claims', { encoding: 'json' }),
    claimEnds: root.openDB<boolean, [number, string]>('claimEnds', { encoding: 'json' }),
    texts: root.openDB<[number, string], string>('texts', { encoding: 'json' }),
    textEnds: root.openDB<boolean, [number, string]>('textEnds', { encoding: 'json' }),
    revocations: root.openDB<Revocation, string>('revocations', { encoding: 'json' }),
    usage: root.openDB<number, [string, string]>('usage', { encoding: 'json' }),
    series: root.openDB<Buffer, [string, string]>('series', { encoding: 'binary' }),
    close: () => root.close()
  }
}

t.test('in LMDB', async t => {
  const path = await folder(t)
  const before = openDatabases(path)
  await before.claims.put('taken', NOW + 1)
  await before.texts.put('a', [NOW + 1, 'text'])
  await before.revocations.put(SHOP.id, SHOP)
  await before.usage.put([DAY, 'shop:logs:items'], 5)
  await before.series.put([DAY, 'shop'], Buffer.concat([Buffer.from([0, 0, 9]), Buffer.alloc(4_093)]))
  await before.close()

  const store = new LmdbStateStore({ path, now: () => NOW })
  t.teardown(() => store.close())
  t.notOk(await store.setIfAbsent('taken', 1))
  t.ok(await store.setIfAbsent('free', 1))
  t.same(await store.getMany(['a']), new Map([['a', 'text']]))
  await store.setMany({ b: 'text' }, 1)
  t.same(await revocationsOf(store).list(), [SHOP])
  await revocationsOf(store).put(TOKEN)
  t.same(await store.dailyCounters('usage').add(DAY, { 'shop:logs:items': 2 }), { 'shop:logs:items': 7 })
  t.equal((await store.dailyRegisters('series').merge(DAY, 'shop', [[1, 4], [2, 3]])).length, 4_096)
  await store.close()

  const after = openDatabases(path)
  t.teardown(() => after.close())
  t.equal(after.claims.get('free'), NOW + 1)
  t.same([...after.claimEnds.getKeys()], [[NOW + 1, 'free']])
  t.same(after.texts.get('b'), [NOW + 1, 'text'])
  t.same([...after.textEnds.getKeys()], [[NOW + 1, 'b']])
  t.same(after.revocations.get(TOKEN.id), TOKEN)
  t.equal(after.usage.get([DAY, 'shop:logs:items']), 7)
  t.same([...after.series.get([DAY, 'shop'])!.subarray(0, 4)], [0, 4, 9, 0])
})

t.test('what has expired leaves the disk', async t => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const path = await folder(t)
  let now = NOW
  const store = new LmdbStateStore({ path, now: () => now })
  t.teardown(() => store.close())
  const [counters, registers, set] = [
    store.dailyCounters('usage'),
    store.dailyRegisters('series'),
    revocationsOf(store)
  ]
  async function fill (text: string, day: string): Promise<void> {
    await store.setIfAbsent(text, 2 * DAY_MS)
    await store.setMany({ [text]: '' }, 2 * DAY_MS)
    await counters.add(day, { [text]: 1 })
    await registers.merge(day, text, [[0, 1]])
    await set.put({ ...TOKEN, id: text, expiresAt: now + 2 * DAY_MS })
  }
  await fill('old', DAY)
  now += 37 * DAY_MS
  await fill('new', '2026-12-29')
  mock.timers.tick(60_000)
  const databases = openDatabases(path)
  t.teardown(() => databases.close())
  await eventually(() => databases.claims.get('old') === undefined ? true : undefined)
  t.same([...databases.claims.getKeys()], ['new'])
  t.equal([...databases.claimEnds.getKeys()].length, 1)
  t.same([...databases.texts.getKeys()], ['new'])
  t.equal([...databases.textEnds.getKeys()].length, 1)
  t.same([...databases.usage.getKeys()], [['2026-12-29', 'new']])
  t.same([...databases.series.getKeys()], [['2026-12-29', 'new']])
  t.same([...databases.revocations.getKeys()], ['new'])
})

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Redis } from 'ioredis'
import { open } from 'lmdb'
import { LmdbStateStore } from '../../../lib/state/lmdb-store.js'
import { RedisStateStore } from '../../../lib/state/redis-store.js'
import type { SetEntry, StateStore, VersionedSet } from '../../../lib/state/store.js'
import { BACKENDS, eventually, redisEnvironment } from '../../helpers/app.js'
import { REDIS_FORMS } from '../../helpers/redis-forms.js'
import { redisStateStoreFolder, remoteStateStoreFolder, stateStoreFolder, type StoreFolder } from '../../helpers/state-stores.js'
import type { Teardown } from '../../helpers/teardown.js'

const DAY = '2026-11-22'
const LAST_REGISTER = 4_095

interface Rule extends SetEntry { rank?: number }

const rule = (given: Partial<Rule>): Rule => ({ id: 'shop', rank: 1_000, expiresAt: Date.now() + 60_000, ...given })
const ruleSet = (store: StateStore): VersionedSet<Rule> => store.versionedSet<Rule>('rules', 'rank')

const FOLDERS: Record<string, (t: Teardown) => Promise<StoreFolder>> = {
  ...(BACKENDS.some(backend => backend === 'embedded')
    ? { embedded: t => stateStoreFolder(t, 'embedded'), 'through another process': remoteStateStoreFolder }
    : {}),
  ...Object.fromEntries(
    Object.entries(REDIS_FORMS).map(([form, start]) =>
      [form, async (t: Teardown) => redisStateStoreFolder(t, await start(t))])
  )
}

for (const [form, openFolder] of Object.entries(FOLDERS)) {
  t.test(`the contract of the state store, ${form}`, async t => {
    const folder = await openFolder(t)
    const store = await folder.open()

    t.test('a key is set by the first one, until it ends', async t => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => store.setIfAbsent('token', 60_000)))
      t.equal(answers.filter(isFirst => isFirst).length, 1, 'of twenty at once')
      t.ok(await store.setIfAbsent('other', 30))
      await sleep(60)
      t.ok(await store.setIfAbsent('other', 60_000), 'it has ended')
      t.notOk(await store.setIfAbsent('other', 60_000))
    })

    t.test('a text is set until it ends, and replaced by the next', async t => {
      t.same(await store.getMany([]), new Map())
      await store.setMany({}, 60_000)
      await store.setMany({ a: 'first', b: '' }, 60_000)
      await store.setMany({ short: 'x' }, 30)
      await store.setMany({ a: 'second' }, 60_000)
      await sleep(60)
      t.same(await store.getMany(['a', 'b', 'c', 'short']), new Map([['a', 'second'], ['b', '']]))
      t.same(await (await folder.open()).getMany(['a']), new Map([['a', 'second']]), 'in another process, too')
    })

    t.test('of bounded texts those are known that were set last, also in another process', async t => {
      const bounded = store.boundedTexts('bounded', { max: 3_200, ttlMs: 60_000 })
      t.same(await bounded.getMany([]), new Map())
      await bounded.setMany({})
      const keys = Array.from({ length: 20_000 }, (_, i) => `key ${i}`)
      for (let i = 0; i < keys.length; i += 100) {
        await bounded.setMany(Object.fromEntries(keys.slice(i, i + 100).map(key => [key, `text of ${key}`])))
      }
      await bounded.setMany({ 'key 19999': 'replaced' })
      const known = await (await folder.open()).boundedTexts('bounded', { max: 3_200, ttlMs: 60_000 }).getMany(keys)
      t.ok(known.size <= 3_200 && known.size >= 800, `${known.size} texts`)
      t.equal(known.get('key 19999'), 'replaced')
      for (const key of keys.slice(-500, -1)) t.equal(known.get(key), `text of ${key}`)
      t.same(await bounded.getMany(['key 19999', 'key 0', 'other']), new Map([['key 19999', 'replaced']]))
    })

    t.test('an entry of a set is published and kept; one of a higher rank is not replaced by one of a lower', async t => {
      const set = ruleSet(store)
      const told: string[] = []
      await set.subscribe(({ id }) => told.push(id))
      const before = await set.version()
      await set.put(rule({ rank: 2_000 }))
      await set.put(rule({ rank: 1_000 }))
      await set.put({ id: 'expired', expiresAt: Date.now() - 1 })
      t.not(await set.version(), before)
      await eventually(() => told.length === 3 ? true : undefined)
      t.match(await set.list(), [{ id: 'shop', rank: 2_000 }], 'without the one that has expired')
    })

    t.test('counters add up by day, for ten writers at once', async t => {
      const counters = store.dailyCounters('counters')
      t.same(await counters.get(DAY), {})
      await Promise.all(Array.from({ length: 10 }, () => counters.add(DAY, { 'shop:items': 3, 'shop:bytes': 100 })))
      t.same(await counters.add(DAY, { 'shop:items': 1 }), { 'shop:items': 31 })
      await counters.add('2026-11-23', { 'shop:items': 5 })
      t.same(await counters.get(DAY), { 'shop:items': 31, 'shop:bytes': 1_000 })
      t.same(await counters.add(DAY, {}), {})
      t.same(await store.dailyCounters('others').get(DAY), {}, 'those of another name are others')
    })

    t.test('of each register the higher value is kept', async t => {
      const registers = store.dailyRegisters('registers')
      t.equal((await registers.get(DAY, 'shop')).length, 0)
      await registers.merge(DAY, 'shop', [[0, 5], [LAST_REGISTER, 200]])
      const merged = await registers.merge(DAY, 'shop', [[0, 3], [7, 1]])
      t.same([merged[0], merged[7], merged[8], merged[LAST_REGISTER]], [5, 1, 0, 200])
      t.same([...await registers.get(DAY, 'shop')], [...merged])
      t.equal((await registers.get(DAY, 'blog')).length, 0)
    })

    t.test('all of it outlives the process', async t => {
      if (form === 'embedded') await store.close()
      const again = await folder.open()
      t.notOk(await again.setIfAbsent('token', 60_000))
      t.equal((await ruleSet(again).list()).length, 1)
      t.match(await again.dailyCounters('counters').get(DAY), { 'shop:items': 31 })
      t.equal((await again.dailyRegisters('registers').get(DAY, 'shop'))[0], 5)
    })

    t.test('windows are counted over all processes and end on time', { skip: form === 'embedded' }, async t => {
      const other = await folder.open()
      const count = { key: 'ip:1', by: 3, windowMs: 400 }
      const keys = Array.from({ length: 20 }, (_, i) => ({ ...count, key: `ip:${i + 1}` }))
      t.same((await store.countInWindows(keys)).map(({ total }) => total), Array(20).fill(3))
      const [{ total, endsInMs }] = await other.countInWindows([count]) as [{ total: number, endsInMs: number }]
      t.equal(total, 6)
      t.ok(endsInMs > 0 && endsInMs <= 400)
      await sleep(450)
      t.match(await other.countInWindows([count]), [{ total: 3 }])
      t.same(await store.countInWindows([]), [])
    })
  })
}

t.test('what is forgotten of bounded texts is removed from the disk', async t => {
  const path = t.testdir()
  const store = new LmdbStateStore({ path, now: Date.now })
  const bounded = store.boundedTexts('bounded', { max: 300, ttlMs: 60_000 })
  for (let i = 0; i < 3_000; i += 10) {
    await bounded.setMany(Object.fromEntries(Array.from({ length: 10 }, (_, j) => [`key ${i + j}`, ''])))
  }
  await store.close()
  const root = open({ path, noSubdir: false })
  t.teardown(() => root.close())
  const count = root.openDB('bounded', { encoding: 'json' }).getKeysCount()
  t.ok(count <= 301, `${count} keys`)
})

t.test('what is forgotten of bounded texts is removed from Redis, and all of it when it is not used', async t => {
  const { REDIS_URL, REDIS_PREFIX: prefix } = await redisEnvironment(t)
  const redis = new Redis(REDIS_URL)
  t.teardown(() => redis.disconnect())
  const bounded = new RedisStateStore({ redis, prefix, now: Date.now }).boundedTexts('bounded', {
    max: 640, ttlMs: 60_000
  })
  for (let i = 0; i < 3_000; i += 10) {
    await bounded.setMany(Object.fromEntries(Array.from({ length: 10 }, (_, j) => [`key ${i + j}`, ''])))
  }
  const hashes = await redis.keys(`${prefix}:bounded:*`)
  const counts = await Promise.all(hashes.map(hash => redis.hlen(hash)))
  const count = counts.reduce((sum, each) => sum + each, 0)
  t.ok(count <= 640 && count > 300, `${count} texts`)
  for (const hash of hashes) t.ok(await redis.pttl(hash) > 0)
})

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Revocation } from '../../../lib/access/revocations.js'
import { REGISTERS } from '../../../lib/usage/hyperloglog.js'
import { BACKENDS, eventually } from '../../helpers/app.js'
import { sharedStoreFolder } from '../../helpers/shared-stores.js'

const DAY = '2026-11-22'
const revocation = (given: Partial<Revocation>): Revocation => ({ id: 'application:shop', application: 'shop', issuedBefore: 1_000, revokedAt: 1_000, expiresAt: Date.now() + 60_000, ...given })

for (const backend of BACKENDS) {
  t.test(`the contract of the shared store, ${backend}`, async t => {
    const folder = await sharedStoreFolder(t, backend)
    const store = await folder.open()

    t.test('a claim is the first one\'s until it ends', async t => {
      const claims = await Promise.all(Array.from({ length: 20 }, () => store.setIfAbsent('token', 60_000)))
      t.equal(claims.filter(claimed => claimed).length, 1, 'of twenty at once')
      t.ok(await store.setIfAbsent('other', 30))
      await sleep(60)
      t.ok(await store.setIfAbsent('other', 60_000), 'it has ended')
      t.notOk(await store.setIfAbsent('other', 60_000))
    })

    t.test('a text is kept until it ends, and replaced by the next', async t => {
      t.same(await store.getMany([]), new Map())
      await store.setMany({}, 60_000)
      await store.setMany({ a: 'first', b: '' }, 60_000)
      await store.setMany({ short: 'x' }, 30)
      await store.setMany({ a: 'second' }, 60_000)
      await sleep(60)
      t.same(await store.getMany(['a', 'b', 'c', 'short']), new Map([['a', 'second'], ['b', '']]))
      t.same(await (await folder.open()).getMany(['a']), new Map([['a', 'second']]), 'in another process, too')
    })

    t.test('revocations are told and kept; a later time is not replaced by an earlier one', async t => {
      const told: string[] = []
      store.onRevoked(({ id }) => told.push(id))
      const before = await store.revocationsVersion()
      await store.revoke(revocation({ issuedBefore: 2_000 }))
      await store.revoke(revocation({ issuedBefore: 1_000 }))
      await store.revoke(revocation({ id: 'jti:j', jti: 'j', expiresAt: Date.now() - 1 }))
      t.not(await store.revocationsVersion(), before)
      await eventually(() => told.length === 3 ? true : undefined)
      t.match(await store.revocations(), [{ id: 'application:shop', issuedBefore: 2_000 }], 'without the one that has expired')
    })

    t.test('usage adds up by day, for ten writers at once', async t => {
      t.same(await store.usage(DAY), {})
      await Promise.all(Array.from({ length: 10 }, () => store.addUsage(DAY, { 'shop:logs:items': 3, 'shop:logs:bytes': 100 })))
      t.same(await store.addUsage(DAY, { 'shop:logs:items': 1 }), { 'shop:logs:items': 31 })
      await store.addUsage('2026-11-23', { 'shop:logs:items': 5 })
      t.same(await store.usage(DAY), { 'shop:logs:items': 31, 'shop:logs:bytes': 1_000 })
      t.same(await store.addUsage(DAY, {}), {})
    })

    t.test('of each register the higher is kept', async t => {
      t.equal((await store.series(DAY, 'shop')).length, 0)
      await store.mergeSeries(DAY, 'shop', [[0, 5], [REGISTERS - 1, 200]])
      const merged = await store.mergeSeries(DAY, 'shop', [[0, 3], [7, 1]])
      t.same([merged[0], merged[7], merged[8], merged[REGISTERS - 1]], [5, 1, 0, 200])
      t.same([...await store.series(DAY, 'shop')], [...merged])
      t.equal((await store.series(DAY, 'blog')).length, 0)
    })

    t.test('all of it outlives the process', async t => {
      if (backend === 'embedded') await store.close()
      const again = await folder.open()
      t.notOk(await again.setIfAbsent('token', 60_000))
      t.equal((await again.revocations()).length, 1)
      t.match(await again.usage(DAY), { 'shop:logs:items': 31 })
      t.equal((await again.series(DAY, 'shop'))[0], 5)
    })
  })
}

if (BACKENDS.some(backend => backend === 'redis')) {
  t.test('windows are counted over all processes and end on time', async t => {
    const folder = await sharedStoreFolder(t, 'redis')
    const [one, two] = [await folder.open(), await folder.open()]
    const count = { key: 'ip:1', by: 3, windowMs: 400 }
    t.match(await one.countInWindows([count, { ...count, key: 'ip:2' }]), [{ total: 3 }, { total: 3 }])
    const [{ total, endsInMs }] = await two.countInWindows([count]) as [{ total: number, endsInMs: number }]
    t.equal(total, 6)
    t.ok(endsInMs > 0 && endsInMs <= 400)
    await sleep(450)
    t.match(await two.countInWindows([count]), [{ total: 3 }])
    t.same(await one.countInWindows([]), [])
  })
}

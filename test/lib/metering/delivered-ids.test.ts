import t from 'tap'
import { storedDeliveredIds } from '../../../lib/metering/stored-ids.js'
import { storedVerdicts } from '../../../lib/metering/stored-verdicts.js'
import { BACKENDS } from '../../helpers/app.js'
import { stateStoreFolder } from '../../helpers/state-stores.js'
import { DELIVERED_ID_TTL_MS, rememberDelivered } from '../../../lib/metering/delivered-ids.js'

t.test('what was delivered is known for 48 hours', async t => {
  let now = 1_000
  const delivered = rememberDelivered({ max: 10, now: () => now })
  await delivered.add(['a', 'b'])
  t.strictSame(await delivered.among(['a', 'c', 'b']), new Set(['a', 'b']))
  now += 48 * 3_600_000 - 1
  t.strictSame(await delivered.among(['a']), new Set(['a']))
  now += 2
  t.strictSame(await delivered.among(['a']), new Set())
  t.equal(DELIVERED_ID_TTL_MS, 48 * 3_600_000)
})

t.test('only so many are remembered', async t => {
  const delivered = rememberDelivered({ max: 2, now: Date.now })
  await delivered.add(['a', 'b', 'c'])
  t.strictSame(await delivered.among(['a', 'b', 'c']), new Set(['b', 'c']))
})

for (const backend of BACKENDS) {
  t.test(`the store remembers only so many calls and clients, whatever they call themselves, ${backend}`, async t => {
    const store = await (await stateStoreFolder(t, backend)).open()
    const ids = Array.from({ length: 2_000 }, (_, i) => `id ${i}`)
    const delivered = storedDeliveredIds(store, 640)
    for (let i = 0; i < ids.length; i += 50) await delivered.add(ids.slice(i, i + 50))
    const known = await delivered.among(ids)
    t.ok(known.size <= 640, `${known.size} calls`)
    t.ok(known.has(ids.at(-1)!))

    const verdicts = storedVerdicts(store, 60_000, 640)
    for (let i = 0; i < ids.length; i += 50) {
      await Promise.all(ids.slice(i, i + 50).map(id => verdicts.set(id, { verdict: 'denied', at: 1 })))
    }
    const all = await Promise.all(ids.map(id => verdicts.get(id)))
    const count = all.filter(verdict => verdict !== null).length
    t.ok(count <= 640, `${count} verdicts`)
    t.same(all.at(-1), { verdict: 'denied', at: 1 })
  })

  t.test(`calls that an earlier version has delivered are known, ${backend}`, async t => {
    const store = await (await stateStoreFolder(t, backend)).open()
    await store.setMany({ 'metered:before': '' }, 60_000)
    const delivered = storedDeliveredIds(store)
    await delivered.add(['now'])
    t.same(await delivered.among(['before', 'now', 'never']), new Set(['before', 'now']))
  })
}

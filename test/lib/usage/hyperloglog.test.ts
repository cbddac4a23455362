import t from 'tap'
import { REGISTERS, HyperLogLog } from '../../../lib/usage/hyperloglog.js'
import { createKeyedHash } from '../../../lib/usage/keyed-hash.js'

const hash = createKeyedHash(Buffer.from('key'))
const series = (i: number) => `m/page/${i}`

t.test('counts distinct texts to within a few in a hundred', async t => {
  const counter = new HyperLogLog(hash)
  t.equal(counter.count(), 0)
  let added = 0
  for (const [count, tolerance] of [[1, 0], [10, 0.5], [1_000, 25], [20_000, 1_200], [200_000, 12_000]] as const) {
    for (; added < count; added++) counter.add(series(added))
    t.ok(Math.abs(counter.count() - count) <= tolerance, `${count}: ${counter.count()}`)
  }
  const before = counter.count()
  for (let i = 0; i < 1_000; i++) counter.add(series(i))
  t.equal(counter.count(), before, 'texts that were seen before')
})

t.test('the registers of two processes are merged by those that have changed', async t => {
  const [one, two] = [new HyperLogLog(hash), new HyperLogLog(hash)]
  for (let i = 0; i < 600; i++) one.add(series(i))
  for (let i = 400; i < 1_000; i++) two.add(series(i))
  const stored = new Uint8Array(REGISTERS)
  for (const counter of [one, two]) {
    for (const [index, rank] of counter.takeChanged()) stored[index] = Math.max(stored[index]!, rank)
  }
  one.merge(stored)
  t.ok(Math.abs(one.count() - 1_000) <= 30, String(one.count()))
  t.same(one.takeChanged(), [], 'registers that came from elsewhere are not stored again')
  two.giveBack([[3, 1]])
  t.equal(two.takeChanged().length, 1)
})

t.test('who does not know the key cannot choose series that count as one', async t => {
  // Texts that fall into two registers of a counter with one key.
  const known = createKeyedHash(Buffer.from('known'))
  const chosen: string[] = []
  for (let i = 0; chosen.length < 300; i++) if (known(series(i)).high >>> 20 < 2) chosen.push(series(i))
  const count = (key: string) => {
    const counter = new HyperLogLog(createKeyedHash(Buffer.from(key)))
    for (const text of chosen) counter.add(text)
    return counter.count()
  }
  t.ok(count('known') <= 2, 'with that key')
  for (const key of ['another', 'knowm', '']) t.ok(Math.abs(count(key) - 300) <= 30, `with ${key}: ${count(key)}`)
})

import t from 'tap'
import { REGISTERS, HyperLogLog } from '../../../lib/usage/hyperloglog.js'
import { KeyedHash } from '../../../lib/usage/keyed-hash.js'

const hash = new KeyedHash([0x03020100, 0x07060504])
const series = (i: number) => ({ MetricName: 'm', Dimensions: [{ Name: 'Page', Value: `/page/${i}` }] })

t.test('counts distinct series to within a few in a hundred', async t => {
  const counter = new HyperLogLog(hash)
  t.equal(counter.count(), 0)
  let added = 0
  for (const [count, tolerance] of [[1, 0], [10, 0.5], [1_000, 25], [20_000, 1_200], [200_000, 12_000]] as const) {
    for (; added < count; added++) counter.add('shop', series(added))
    t.ok(Math.abs(counter.count() - count) <= tolerance, `${count}: ${counter.count()}`)
  }
  const before = counter.count()
  for (let i = 0; i < 1_000; i++) counter.add('shop', series(i))
  t.equal(counter.count(), before, 'series that were seen before')
})

t.test('a series is its namespace, its name, and its dimensions in any order', async t => {
  const counter = new HyperLogLog(hash)
  const [a, b] = [{ Name: 'a', Value: '1' }, { Name: 'b', Value: '2' }]
  counter.add('shop', { MetricName: 'm', Dimensions: [a, b] })
  counter.add('shop', { MetricName: 'm', Dimensions: [b, a] })
  t.equal(counter.count(), 1)
  counter.add('shop', { MetricName: 'm', Dimensions: [{ Name: 'a', Value: '2' }, { Name: 'b', Value: '1' }] })
  counter.add('shop', { MetricName: 'm' })
  counter.add('blog', { MetricName: 'm' })
  counter.add('shop', { MetricName: 'n' })
  t.equal(counter.count(), 5)
})

t.test('the registers of two processes are merged by those that have changed', async t => {
  const [one, two] = [new HyperLogLog(hash), new HyperLogLog(hash)]
  for (let i = 0; i < 600; i++) one.add('shop', series(i))
  for (let i = 400; i < 1_000; i++) two.add('shop', series(i))
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
  // The values fall into one register of a counter with one key.
  const known = new KeyedHash([1, 2])
  const chosen: string[] = []
  for (let i = 0; chosen.length < 300; i++) {
    known.start().text('Page').text(String(i)).end()
    const [high, low] = [known.high, known.low]
    known.start().text('shop').text('m').word(high).word(low).end()
    if (known.high >>> 20 < 2) chosen.push(String(i))
  }
  const count = (key: [number, number]) => {
    const counter = new HyperLogLog(new KeyedHash(key))
    for (const Value of chosen) counter.add('shop', { MetricName: 'm', Dimensions: [{ Name: 'Page', Value }] })
    return counter.count()
  }
  t.ok(count([1, 2]) <= 2, 'with that key')
  for (const key of [[1, 3], [2, 2], [-5, 77]] as const) t.ok(Math.abs(count([...key]) - 300) <= 30, `with ${key.join()}: ${count([...key])}`)
})

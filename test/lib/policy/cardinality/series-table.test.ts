import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { RedisSeriesTable } from '../../../../lib/policy/cardinality/redis-series-table.js'
import {
  CATCH_ALL, LocalSeriesTable, type Collapse, type DimensionPairs, type SeriesTable
} from '../../../../lib/policy/cardinality/series-table.js'
import { startRedis } from '../../../../tools/shared/redis.js'

/** Redis forgets a day that is over at once. */
const DAY = Math.floor(Date.now() / 86_400_000)

type Claim = (limit: number, ...series: DimensionPairs[]) => Promise<Collapse[]>

function claimIn (table: SeriesTable, scope: string, day = DAY, application = 'shop'): Claim {
  return async (limit, ...series) => await table.claim(day, series.map(pairs => ({ application, scope, limit, pairs })))
}

/** The series that claims lead to. */
function names (series: DimensionPairs[], collapses: Collapse[]): Set<string> {
  return new Set(series.map((pairs, i) => {
    const collapse = collapses[i]!
    return collapse === CATCH_ALL
      ? '*'
      : pairs.map(([name, value], j) => `${name}=${collapse.includes(j) ? '*' : value}`).join()
  }))
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** The behaviour of every table. */
function suite (t: Test, open: () => SeriesTable): void {
  t.test('series within the limit are taken as they are, again and again', async t => {
    const claim = claimIn(open(), 'within')
    const series: DimensionPairs[] = range(10).map(i => [['Page', `/${i}`]])
    t.same(await claim(10, ...series), Array(10).fill([]))
    t.same(await claim(10, ...series), Array(10).fill([]))
  })

  t.test('the next one is collapsed, and the series that were there stay', async t => {
    const claim = claimIn(open(), 'beyond')
    await claim(2, [['Page', '/a']], [['Page', '/b']])
    t.same(await claim(2, [['Page', '/c']], [['Page', '/a']], [['Page', '/d']]), [[0], [], [0]])
  })

  t.test('the dimension with the most distinct values is collapsed', async t => {
    const claim = claimIn(open(), 'most')
    const series: DimensionPairs[] = range(20).map(i => [['Country', `c${i % 3}`], ['User', `u${i}`]])
    await claim(20, ...series)
    t.same(await claim(20, [['Country', 'c1'], ['User', 'u99']]), [[1]], 'User, in its place')
    t.same(await claim(20, [['Country', 'c1'], ['User', 'u98']]), [[1]], 'the same series for every other user')
  })

  t.test('where a second dimension has many values too, it is collapsed as well', async t => {
    const claim = claimIn(open(), 'second')
    const flood = (from: number): DimensionPairs[] =>
      range(100).map(i => [['Page', `p${i % 60}`], ['Session', `s${from + i}`]])
    await claim(100, ...flood(0))
    const found = names(flood(100), await claim(100, ...flood(100)))
    t.equal(found.size, 5 + 1, 'half of the places for pages')
    t.ok(found.has('Page=p0,Session=*') && found.has('Page=*,Session=*'))
  })

  t.test('a flood ends in a bounded number of series, whatever its dimensions', async t => {
    const floods: Record<string, (i: number) => DimensionPairs> = {
      'one dimension': i => [['User', `u${i}`]],
      'two that are unbounded': i => [['Session', `s${i}`], ['User', `u${i * 7}`]],
      'a small and a large one': i => [['Page', `p${i % 40}`], ['User', `u${i}`]],
      'names of dimensions': i => [[`name ${i}`, 'x']],
      'names and values': i => [[`name ${i}`, `x${i}`], [`other ${i % 9}`, 'y']],
      'thirty dimensions': i => range(30).map(j => [`d${String(j).padStart(2, '0')}`, `v${i % (j + 1)} ${i}`])
    }
    for (const [name, flood] of Object.entries(floods)) {
      const claim = claimIn(open(), `flood ${name}`)
      const series = range(600).map(flood)
      const found = names(series, await claim(50, ...series))
      t.ok(found.size >= 50 && found.size <= 50 + 5 + 1, `${name}: ${found.size} series`)
    }
  })

  t.test('scopes and days do not know of each other', async t => {
    const table = open()
    await claimIn(table, 'one')(1, [['a', '1']])
    t.same(await claimIn(table, 'other')(1, [['a', '2']]), [[]])
    t.same(await claimIn(table, 'one')(1, [['a', '2']]), [[0]])
    t.same(await claimIn(table, 'one', DAY + 1)(1, [['a', '2']]), [[]], 'the next day all is forgotten')
  })
}

t.test('in memory', async t => {
  suite(t, () => new LocalSeriesTable())

  t.test('the number of series that it remembers is bounded, and an application has a share of it', async t => {
    const table = new LocalSeriesTable(100)
    const good = claimIn(table, 'scope of good', DAY, 'good')
    await good(3, ...range(3).map((i): DimensionPairs => [['a', String(i)]]))
    t.same(await good(3, [['a', 'new']]), [[0]], 'its limit is reached')
    const hostile = await Promise.all(range(30).map(async i =>
      await claimIn(table, `scope ${i}`, DAY, 'hostile')(
        10, ...range(10).map((j): DimensionPairs => [['a', String(j)]])
      )))
    t.equal(
      hostile.flat().filter(collapse => collapse !== CATCH_ALL).length, 20, 'beyond its share all series go into one'
    )
    t.same(await good(3, [['a', '0']], [['a', 'other']]), [[], [0]], 'nothing of another application is forgotten')
    for (const name of ['b', 'c', 'd', 'e']) {
      await claimIn(table, `scope of ${name}`, DAY, name)(
        50, ...range(50).map((i): DimensionPairs => [['a', String(i)]])
      )
    }
    t.same(
      await claimIn(table, 'scope of f', DAY, 'f')(10, [['a', '1']]),
      [CATCH_ALL],
      'a table that is full takes nothing new'
    )
    t.same(await good(3, [['a', '0']], [['a', 'other']]), [[], [0]])
  })
})

t.test('in Redis', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const connected: Array<Promise<unknown>> = []
  const open = (prefix: string): RedisSeriesTable => {
    const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 50 })
    redis.on('error', () => {})
    connected.push(redis.ping())
    t.teardown(() => redis.disconnect())
    return new RedisSeriesTable({ redis, prefix, now: () => performance.now() })
  }
  let opened = 0
  await t.test('as in memory', async t => suite(t, () => open(`p${opened++}`)))

  await t.test('a fleet shares one limit', async t => {
    const fleet = [open('fleet'), open('fleet'), open('fleet')]
    await Promise.all(connected)
    const series = range(300).map((i): DimensionPairs => [['User', `u${i}`]])
    const collapses = await Promise.all(
      series.map(async (pairs, i) => (await claimIn(fleet[i % 3]!, 's')(50, pairs))[0]!)
    )
    const found = names(series, collapses)
    t.equal(found.size, 51, 'the limit, and one for all others')
    t.same(await claimIn(open('fleet'), 's')(50, [['User', 'new']]), [[0]], 'a process that starts knows it')
  })

  await t.test('nothing is kept for longer than its day and an hour', async t => {
    await claimIn(open('expiry'), 's', Math.floor(Date.now() / 86_400_000))(5, [['a', '1']])
    const operator = new Redis(server.url)
    t.teardown(() => operator.disconnect())
    const [key] = await operator.keys('expiry:*')
    const left = await operator.pttl(key!)
    t.ok(left > 0 && left <= 25 * 3_600_000, `${left} ms`)
  })

  await t.test('while Redis is away each process goes on from the series that it has seen', async t => {
    const claim = claimIn(open('away'), 's')
    await claim(3, [['a', '1']], [['a', '2']])
    await server.kill()
    t.same(await claim(3, [['a', '1']], [['a', '3']], [['a', '4']]), [[], [], [0]])
    await server.restart()
  })
})

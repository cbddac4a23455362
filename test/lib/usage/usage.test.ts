import t from 'tap'
import { dollarsOf, PRICES } from '../../../lib/usage/aws-prices.js'
import { Usage } from '../../../lib/usage/usage.js'
import { tightestBudget } from '../../../lib/usage/budget.js'
import { BACKENDS } from '../../helpers/app.js'
import { application } from '../../helpers/applications.js'
import { stateStoreFolder } from '../../helpers/state-stores.js'

const NOW = Date.parse('2026-11-22T10:00:00Z')
const DAY = 24 * 3_600_000

t.test('the tightest budget is told from the soft limit on', async t => {
  const shop = application({ budgets: { soft: 0.8, daily: { items: 100, bytes: 1_000, dollars: 2 } } })
  t.equal(tightestBudget(shop, { items: 79, bytes: 0, dollars: 0 }), null)
  t.match(tightestBudget(shop, { items: 80, bytes: 900, dollars: 0 }), { budget: 'bytes', share: 0.9, limit: 1_000 })
  t.match(tightestBudget(shop, { items: 80, bytes: 0, dollars: 3 }), { budget: 'dollars', share: 1.5 })
  t.equal(tightestBudget(application(), { items: 1e9, bytes: 1e9, dollars: 1e9 }), null)
})

t.test('dollars follow the price table', async t => {
  const dollars = dollarsOf({ logBytes: 2 ** 30, series: 30, putMetricDataCalls: 1_000 })
  t.ok(Math.abs(dollars.logs - 0.5) < 1e-9)
  t.ok(Math.abs(dollars.series - 0.3) < 1e-9)
  t.ok(Math.abs(dollars.calls - 0.01) < 1e-9)
  t.equal(dollars.total, dollars.logs + dollars.series + dollars.calls)
})

for (const backend of BACKENDS) {
  t.test(`usage of a day, ${backend}`, async t => {
    let now = NOW
    const folder = await stateStoreFolder(t, backend)
    const store = await folder.open(() => now)
    const open = async () => {
      const usage = await Usage.open({ store, now: () => now, seriesSecret: Buffer.from('secret') })
      t.teardown(() => usage.close())
      return usage
    }
    const one = await open()
    const shop = application({ budgets: { soft: 0.5, daily: { items: 100 } } })

    t.test('budgets are judged by what was counted a moment ago', async t => {
      one.record('shop', 'logs', 49, 4_900)
      t.equal(one.budgetOf(shop), null)
      one.record('shop', 'metrics', 1, 80)
      t.match(one.budgetOf(shop), { budget: 'items', share: 0.5 })
      t.equal(one.secondsToMidnight(), 14 * 3_600)
    })

    t.test('another process, or the next, knows it after a sync', async t => {
      one.recordCreated('shop')
      one.recordCreated('shop')
      await one.sync()
      const two = await open()
      t.same([two.hasCreated('shop', 2), two.hasCreated('shop', 3), two.hasCreated('blog', 1)], [true, false, false])
      t.match(two.budgetOf(shop), { share: 0.5 })
      two.record('shop', 'logs', 50, 5_000)
      t.match(two.budgetOf(shop), { share: 1 })
      await two.sync()
      one.record('shop', 'logs', 1, 100)
      await one.sync()
      t.match(one.budgetOf(shop), { share: 1.01 }, 'its own counts bring those of the others')
    })

    t.test('the report shows each application with its share of the calls', async t => {
      one.record('blog', 'logs', 101, 1_000)
      one.recordSeries('blog', 'ns', [{ MetricName: 'a' }, { MetricName: 'b' }, { MetricName: 'a' }])
      for (let i = 0; i < 4; i++) one.recordCall('PutLogEvents')
      for (let i = 0; i < 3; i++) one.recordCall('PutMetricData')
      const report = await one.report(2)
      t.same(report.map(({ day, application }) => [day, application]), [['2026-11-22', 'blog'], ['2026-11-22', 'shop']])
      const [blog, shop] = report as [typeof report[0], typeof report[0]]
      t.match(shop, {
        items: { metrics: 1, logs: 100 },
        bytes: { metrics: 80, logs: 10_000 },
        series: 0,
        awsCalls: { PutMetricData: 3 }
      })
      t.match(blog, { items: { metrics: 0, logs: 101 }, series: 2 })
      t.ok(Math.abs(shop.awsCalls.PutLogEvents! - 4 * 100 / 201) < 1e-9)
      t.notOk('PutMetricData' in blog.awsCalls)
      t.ok(Math.abs(blog.dollars.total - (1_000 * PRICES.LOG_BYTE + 2 * PRICES.SERIES_DAY)) < 1e-12)
      t.ok(Math.abs(shop.dollars.calls - 3 * PRICES.PUT_METRIC_DATA_CALL) < 1e-12)
    })

    t.test('midnight UTC starts anew and loses nothing of the day before', async t => {
      one.record('shop', 'logs', 7, 70)
      now += DAY
      t.equal(one.budgetOf(shop), null)
      one.record('shop', 'logs', 1, 10)
      const report = await one.report(2)
      const of = (day: string) => report.find(usage => usage.day === day && usage.application === 'shop')!.items.logs
      t.equal(of('2026-11-22'), 107)
      t.equal(of('2026-11-23'), 1)
    })

    t.test('a clock that was days ahead leaves the budgets of the days as they were', async t => {
      const two = await open()
      two.record('shop', 'logs', 59, 590)
      t.match(two.budgetOf(shop), { share: 0.6 })
      now += 10 * DAY
      t.equal(two.budgetOf(shop), null)
      two.record('shop', 'logs', 50, 500)
      now -= 10 * DAY
      t.match(two.budgetOf(shop), { share: 0.6 }, 'today is today again')
      await two.sync()
      now += DAY
      t.equal(two.budgetOf(shop), null, 'and tomorrow comes')
      t.equal(two.secondsToMidnight(), 14 * 3_600)
      now -= DAY
      const restarted = await open()
      t.match(restarted.budgetOf(shop), { share: 0.6 }, 'nothing is lost')
    })
  })
}

t.test('counts that cannot be stored are stored later, once', async t => {
  const folder = await stateStoreFolder(t, 'embedded')
  const store = await folder.open()
  let away = true
  const counters = store.dailyCounters('usage')
  const registers = store.dailyRegisters('series')
  const flaky = {
    shared: false,
    dailyCounters: () => ({
      add: async (...args: Parameters<typeof counters.add>) =>
        away ? await Promise.reject(new Error('away')) : await counters.add(...args),
      get: counters.get
    }),
    dailyRegisters: () => ({
      merge: async (...args: Parameters<typeof registers.merge>) =>
        away ? await Promise.reject(new Error('away')) : await registers.merge(...args),
      get: registers.get
    })
  }
  const usage = await Usage.open({ store: flaky, now: () => NOW, seriesSecret: Buffer.from('secret') })
  usage.record('shop', 'logs', 2, 20)
  usage.recordSeries('shop', 'ns', [{ MetricName: 'a' }])
  await usage.sync()
  usage.record('shop', 'logs', 3, 30)
  await usage.sync()
  t.same(await counters.get('2026-11-22'), {})
  away = false
  await usage.close()
  t.match(await counters.get('2026-11-22'), { 'shop:logs:items': 5, 'shop:logs:bytes': 50 })
  t.not((await registers.get('2026-11-22', 'shop')).length, 0)
})

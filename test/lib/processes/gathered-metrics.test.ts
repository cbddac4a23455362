import t from 'tap'
import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client'
import {
  GatheredMetrics, serveMetrics, tellLastMetrics, type MetricJson
} from '../../../lib/processes/gathered-metrics.js'
import { channelPair } from '../../helpers/channel-pair.js'

const sumUp = (metrics: MetricJson[][]): Registry => AggregatorRegistry.aggregate(metrics as object[])

/** A process with metrics of its own, as the one that gathers sees it. */
function startProcess (gathered: GatheredMetrics) {
  const [near, far] = channelPair()
  const registry = new Registry()
  const registers = [registry]
  const counter = new Counter({ name: 'requests_total', help: 'Requests.', labelNames: ['route'], registers })
  const gauge = new Gauge({ name: 'sockets', help: 'Sockets.', registers })
  const histogram = new Histogram({ name: 'seconds', help: 'Seconds.', buckets: [1], registers })
  const metrics = async (): Promise<MetricJson[]> => await registry.getMetricsAsJSON()
  serveMetrics(far, metrics)
  gathered.follow(near)
  return {
    near,
    counter,
    gauge,
    histogram,
    tellLast: async () => await tellLastMetrics(far, await metrics()),
    stall: () => far.handle('metrics', () => new Promise(() => {}))
  }
}

t.test('the metrics of all processes are added up, and counters never shrink when one goes', async t => {
  const gathered = new GatheredMetrics(async metrics => await sumUp(metrics).getMetricsAsJSON())
  const [one, other] = [startProcess(gathered), startProcess(gathered)]
  const page = async (...processes: Array<typeof one>): Promise<string> =>
    await sumUp(await gathered.ask(processes.map(({ near }) => near))).metrics()
  one.counter.inc({ route: '/metric' }, 5)
  one.histogram.observe(0.5)
  other.counter.inc({ route: '/metric' }, 7)
  other.gauge.set(3)
  other.histogram.observe(2)
  const first = await page(one, other)
  const sums = ['requests_total{route="/metric"} 12', 'sockets 3', 'seconds_bucket{le="1"} 1', 'seconds_count 2']
  for (const line of sums) t.match(first, line)

  other.near.close()
  const second = await page(one)
  t.match(second, 'requests_total{route="/metric"} 12', 'killed after a scrape')
  t.match(second, 'sockets 0', 'its sockets are gone')
  t.match(second, 'seconds_count 2')

  one.counter.inc({ route: '/metric' }, 1)
  await one.tellLast()
  one.near.close()
  const next = startProcess(gathered)
  next.counter.inc({ route: '/metric' }, 100)
  t.match(await page(next), 'requests_total{route="/metric"} 113', 'with the last word of one that has closed')
})

t.test('a process that does not answer counts with its last word', async t => {
  const gathered = new GatheredMetrics(async metrics => await sumUp(metrics).getMetricsAsJSON())
  const stuck = startProcess(gathered)
  stuck.counter.inc({ route: '/token' }, 2)
  await gathered.ask([stuck.near])
  stuck.stall()
  t.match(await sumUp(await gathered.ask([stuck.near])).metrics(), 'requests_total{route="/token"} 2')
})

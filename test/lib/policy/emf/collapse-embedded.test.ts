import fc from 'fast-check'
import t from 'tap'
import { collapseEmbedded, embeddedDatums } from '../../../../lib/policy/emf/collapse-embedded.js'
import { CardinalityLimiter } from '../../../../lib/policy/cardinality/cardinality-limiter.js'
import { LocalSeriesTable } from '../../../../lib/policy/cardinality/series-table.js'

const NOW = Date.parse('2026-11-22T12:00:00Z')
const SERIES = 10
const METRICS = 5
/** As docs/privacy.md says of a limit below 40. */
const MAX_SERIES = SERIES + 5

function createCollapse (limits = { metrics: METRICS, series: SERIES }) {
  const limiter = new CardinalityLimiter({ table: new LocalSeriesTable(), now: () => NOW, onCollapsed () {} })
  return (message: string) =>
    collapseEmbedded(message, (namespace, datums) => limiter.collapse('shop', namespace, limits, datums))
}

function event (Dimensions: string[][], metrics: string[], members: object, Namespace = 'n'): string {
  return JSON.stringify({
    _aws: { Timestamp: NOW, CloudWatchMetrics: [{ Namespace, Dimensions, Metrics: metrics.map(Name => ({ Name })) }] },
    ...members
  })
}

/** The series that CloudWatch would make of the messages, by namespace and name. */
function seriesOf (messages: readonly string[]): Map<string, Set<string>> {
  const series = new Map<string, Set<string>>()
  for (const message of messages) {
    for (const [namespace, datums] of embeddedDatums(message)) {
      for (const { MetricName, Dimensions = [] } of datums) {
        const key = `${namespace} ${MetricName}`
        series.set(
          key,
          (series.get(key) ?? new Set()).add(JSON.stringify(Dimensions.map(({ Name, Value }) => [Name, Value]).sort()))
        )
      }
    }
  }
  return series
}

t.test('an event within the limits stays the text it is', async t => {
  const message = ` ${event([['Page']], ['Load'], { Page: '/a', Load: 1 })}`.trimStart().replace(
    '"Load":1', '"Load": 1.0, "id": 12345678901234567890'
  )
  t.equal(await createCollapse()(message), message)
})

t.test('whatever the events, the series of a metric and the metrics of a namespace are bounded', async () => {
  const value = fc.integer({ min: 0, max: 60 }).map(n => `v${n}`)
  const anEvent = fc.tuple(
    fc.array(fc.subarray(['A', 'B', 'C'], { minLength: 1 }), { minLength: 1, maxLength: 3 }),
    fc.subarray(['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7'], { minLength: 1 }),
    fc.record({ A: value, B: value, C: value }),
    fc.constantFrom('n', 'o')
  ).map(([sets, metrics, members, namespace]) =>
    event(sets, metrics, { ...members, ...Object.fromEntries(metrics.map(name => [name, 1])) }, namespace))
  await fc.assert(fc.asyncProperty(fc.array(anEvent, { minLength: 40, maxLength: 80 }), async messages => {
    const collapse = createCollapse()
    const collapsed: string[] = []
    for (const message of messages) collapsed.push(await collapse(message))
    const series = seriesOf(collapsed)
    for (const namespace of ['n', 'o']) {
      const names = [...series.keys()].filter(key => key.startsWith(namespace))
      if (names.length > METRICS + 1) throw new Error(`${names.length} metrics`)
    }
    for (const [key, sets] of series) if (sets.size > MAX_SERIES) throw new Error(`${key} has ${sets.size} series`)
  }), { numRuns: 30 })
})

t.test('a flood of names of dimensions ends in the catch-all series', async t => {
  const collapse = createCollapse({ metrics: 0, series: SERIES })
  const messages: string[] = []
  for (let i = 0; i < 100; i++) messages.push(await collapse(event([[`d${i}`]], ['m'], { [`d${i}`]: 'v', m: i })))
  const [series] = seriesOf(messages).values()
  t.ok(series!.size <= MAX_SERIES, `${series!.size} series`)
  t.ok(series!.has('[["__other__","__other__"]]'))
})

t.test('an event whose collapsed metrics cannot be written keeps its content without them', async t => {
  const collapse = createCollapse({ metrics: 1, series: 0 })
  await collapse(event([[]], ['first'], { first: 1 }))
  const values = Array.from({ length: 60 }, (_, i) => i)
  const written = await collapse(event([[]], ['a', 'b'], { a: values, b: values }))
  t.same(embeddedDatums(written), [])
  t.match(JSON.parse(written), { a: values, b: values, aws_: {} })
})

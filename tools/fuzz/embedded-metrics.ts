import fc, { type Arbitrary } from 'fast-check'

/** How `_aws` may be written so that a parser still finds it. */
const DISGUISES: Array<(json: string) => string> = [
  json => json,
  json => ` \t\n${json}`,
  json => json.replace('"_aws"', '"\\u005faws"'),
  json => json.replace('{', '{"_aws":1,'),
  json => `${json} and more`,
  json => `[${json}]`,
  json => json.replace('"CloudWatchMetrics"', '"CloudWatchMetric\\u0073"')
]

const metric = fc.record({
  Name: fc.constantFrom('a', 'b', '', 'x'.repeat(1_100), 5),
  Unit: fc.constantFrom('Milliseconds', 'Count', 'Parsecs'),
  StorageResolution: fc.constantFrom(1, 60, 7)
}, { requiredKeys: ['Name'] })

const directive = fc.record({
  Namespace: fc.constantFrom('fuzz', 'fuzz/a', 'other', '', 'AWS/EC2'),
  Dimensions: fc.constantFrom(
    [[]], [['page']], [['page', 'page']], [['absent']], [Array.from({ length: 31 }, (_none, n) => `d${n}`)], 'page'
  ),
  Metrics: fc.array(metric, { maxLength: 3 })
}, { requiredKeys: [] })

/** Messages of log events in which CloudWatch would find metrics, or nearly: the embedded metric format. */
export const embeddedMetric: Arbitrary<string> = fc.tuple(
  fc.record({
    _aws: fc.record({
      Timestamp: fc.oneof(fc.constant(Date.now()), fc.constantFrom(0, -1, 1e300, '1')),
      CloudWatchMetrics: fc.oneof({
        arbitrary: fc.array(directive, { maxLength: 3 }),
        weight: 4
      }, fc.jsonValue({ maxDepth: 1 }))
    }, { requiredKeys: [] }),
    page: fc.constantFrom('/', '/checkout', '', 'x'.repeat(1_100), 5, null),
    a: fc.oneof(fc.double(), fc.constantFrom([1, 2], [], 'text', 1e-120, Array(101).fill(1))),
    b: fc.jsonValue({ maxDepth: 1 })
  }, { requiredKeys: ['_aws'] }),
  fc.constantFrom(...DISGUISES)
).map(([message, disguise]) => disguise(JSON.stringify(message)))

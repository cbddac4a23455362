import { Ajv } from 'ajv'
import fc from 'fast-check'
import t from 'tap'
import { PUT_METRIC_DATA as LIMIT } from '../../../schemas/aws-limits.js'
import { readMetricDatum } from '../../../lib/items/metric-datum.js'
import { namespaceError } from '../../../lib/items/names.js'
import { InvalidItem } from '../../../lib/items/item-error.js'
import { DimensionSchema, MetricDatumSchema, StatisticSetSchema } from '../../../schemas/metric.js'

const NOW = 1_795_330_800_123
const DAY = 24 * 3_600_000

function read (datum: unknown) {
  try {
    return readMetricDatum(datum, 7, NOW)
  } catch (refusal) {
    if (refusal instanceof InvalidItem) return { reason: refusal.reason, message: refusal.message }
    throw refusal
  }
}

const dimensions = (count: number) => Array.from({ length: count }, (_, i) => ({ Name: `n${i}`, Value: 'v' }))

t.test('takes what PutMetricData takes', async t => {
  const good: Record<string, Record<string, unknown>> = {
    'a value': { Value: 1 },
    zero: { Value: 0 },
    'the value nearest to zero': { Value: 2 ** -360 },
    'the negative value nearest to zero': { Values: [-(2 ** -360), 0], Counts: [0, 1] },
    'the largest value': { Value: 2 ** 360 },
    'the smallest value': { Value: -(2 ** 360) },
    '150 values': { Values: Array.from({ length: 150 }, (_, i) => i) },
    'values with counts': { Values: [1, 2], Counts: [3, 0.5] },
    statistics: { StatisticValues: { SampleCount: 2, Sum: 3, Minimum: 1, Maximum: 2 } },
    '30 dimensions': { Value: 1, Dimensions: dimensions(30) },
    'no dimensions': { Value: 1, Dimensions: [] },
    'a long dimension value': { Value: 1, Dimensions: [{ Name: 'a', Value: 'v'.repeat(1_024) }] },
    'a unit': { Value: 1, Unit: 'Megabits/Second' },
    'high resolution': { Value: 1, StorageResolution: 1 },
    '14 days ago': { Value: 1, Timestamp: NOW - 14 * DAY },
    'in two hours': { Value: 1, Timestamp: NOW + DAY / 12 }
  }
  for (const [name, fields] of Object.entries(good)) {
    t.match(read({ MetricName: 'm', ...fields }), { MetricName: 'm', ...fields }, name)
  }
})

t.test('refuses what PutMetricData refuses, and names the field and the rule', async t => {
  const bad: Array<[string, unknown, string, RegExp]> = [
    ['null', null, 'invalid-item', /MetricData\[7\] must be an object/],
    ['a string', 'x', 'invalid-item', /must be an object/],
    ['an array', [], 'invalid-item', /must be an object/],
    ['no name', { Value: 1 }, 'invalid-item', /MetricName must be a string/],
    ['an empty name', { MetricName: '', Value: 1 }, 'invalid-name', /MetricName must not be empty/],
    ['a blank name', { MetricName: '  ', Value: 1 }, 'invalid-name', /must not be blank/],
    ['a long name', { MetricName: 'm'.repeat(256), Value: 1 }, 'invalid-name', /at most 255/],
    ['a name outside ASCII', { MetricName: 'größe', Value: 1 }, 'invalid-name', /ASCII/],
    ['an unknown field', { MetricName: 'm', Value: 1, value: 1 }, 'invalid-item', /unknown field "value"/],
    ['no value', { MetricName: 'm' }, 'invalid-value', /exactly one of/],
    ['two values', { MetricName: 'm', Value: 1, Values: [1] }, 'invalid-value', /exactly one of/],
    ['a value of null', { MetricName: 'm', Value: null }, 'invalid-value', /Value must be a number/],
    ['a string value', { MetricName: 'm', Value: '1' }, 'invalid-value', /Value must be a number/],
    ['NaN', { MetricName: 'm', Value: NaN }, 'invalid-value', /2\^360/],
    ['Infinity', { MetricName: 'm', Value: Infinity }, 'invalid-value', /2\^360/],
    ['too large', { MetricName: 'm', Value: 2 ** 361 }, 'invalid-value', /2\^360/],
    ['too small', { MetricName: 'm', Value: -(2 ** 361) }, 'invalid-value', /2\^360/],
    ['too near to zero', { MetricName: 'm', Value: 2 ** -361 }, 'invalid-value', /2\^-360/],
    [
      'a value too near to zero among values',
      { MetricName: 'm', Values: [1, -1e-120] },
      'invalid-value',
      /Values\[1\].*2\^-360/
    ],
    [
      'a sum too near to zero',
      { MetricName: 'm', StatisticValues: { SampleCount: 1, Sum: 1e-120, Minimum: 0, Maximum: 1 } },
      'invalid-value',
      /Sum.*2\^-360/
    ],
    ['no values', { MetricName: 'm', Values: [] }, 'invalid-value', /1 to 150/],
    ['151 values', { MetricName: 'm', Values: Array(151).fill(1) }, 'invalid-value', /1 to 150/],
    ['a bad value among values', { MetricName: 'm', Values: [1, 'x'] }, 'invalid-value', /Values\[1\]/],
    [
      'counts of another length',
      { MetricName: 'm', Values: [1], Counts: [1, 2] },
      'invalid-value',
      /as long as Values/
    ],
    [
      'a negative count',
      { MetricName: 'm', Values: [1], Counts: [-1] },
      'invalid-value',
      /Counts\[0\] must not be negative/
    ],
    [
      'counts without values',
      { MetricName: 'm', Value: 1, Counts: [1] },
      'invalid-value',
      /Counts must come with Values/
    ],
    ['31 dimensions', { MetricName: 'm', Value: 1, Dimensions: dimensions(31) }, 'invalid-dimension', /at most 30/],
    [
      'dimensions that are no array',
      { MetricName: 'm', Value: 1, Dimensions: {} },
      'invalid-dimension',
      /must be an array/
    ],
    [
      'a blank dimension value',
      { MetricName: 'm', Value: 1, Dimensions: [{ Name: 'a', Value: ' ' }] },
      'invalid-dimension',
      /Dimensions\[0\]\.Value must not be blank/
    ],
    [
      'an empty dimension value',
      { MetricName: 'm', Value: 1, Dimensions: [{ Name: 'a', Value: '' }] },
      'invalid-dimension',
      /must not be empty/
    ],
    [
      'a dimension name with a colon first',
      { MetricName: 'm', Value: 1, Dimensions: [{ Name: ':a', Value: 'b' }] },
      'invalid-dimension',
      /colon/
    ],
    [
      'a dimension twice',
      { MetricName: 'm', Value: 1, Dimensions: [{ Name: 'a', Value: 'b' }, { Name: 'a', Value: 'c' }] },
      'invalid-dimension',
      /repeat/
    ],
    [
      'a dimension with an unknown field',
      { MetricName: 'm', Value: 1, Dimensions: [{ Name: 'a', Value: 'b', x: 1 }] },
      'invalid-dimension',
      /unknown field "x"/
    ],
    [
      'a long dimension value',
      { MetricName: 'm', Value: 1, Dimensions: [{ Name: 'a', Value: 'v'.repeat(1_025) }] },
      'invalid-dimension',
      /at most 1024/
    ],
    ['an unknown unit', { MetricName: 'm', Value: 1, Unit: 'ms' }, 'invalid-unit', /Unit/],
    ['a resolution of 10', { MetricName: 'm', Value: 1, StorageResolution: 10 }, 'invalid-value', /1 or 60/],
    [
      'statistics without a count',
      { MetricName: 'm', StatisticValues: { Sum: 1, Minimum: 1, Maximum: 1 } },
      'invalid-value',
      /SampleCount/
    ],
    ['statistics that are no object', { MetricName: 'm', StatisticValues: 5 }, 'invalid-value', /object/],
    [
      'a minimum above the maximum',
      { MetricName: 'm', StatisticValues: { SampleCount: 1, Sum: 1, Minimum: 2, Maximum: 1 } },
      'invalid-value',
      /Minimum/
    ],
    ['a time that is none', { MetricName: 'm', Value: 1, Timestamp: 'yesterday' }, 'invalid-timestamp', /ISO 8601/],
    ['too old', { MetricName: 'm', Value: 1, Timestamp: NOW - 14 * DAY - 1 }, 'too-old', /14 days/],
    ['too new', { MetricName: 'm', Value: 1, Timestamp: NOW + DAY / 12 + 1 }, 'too-new', /2 hours/]
  ]
  for (const [name, datum, reason, message] of bad) t.match(read(datum), { reason, message }, name)
})

t.test('reads ISO 8601, Unix seconds and milliseconds, and takes now when there is no timestamp', async t => {
  const at = (Timestamp?: unknown) =>
    (read({ MetricName: 'm', Value: 1, Timestamp }) as { Timestamp: number }).Timestamp
  t.equal(at(new Date(NOW).toISOString()), NOW)
  t.equal(at(NOW), NOW)
  t.equal(at(NOW / 1000), NOW)
  t.equal(at(Math.floor(NOW / 1000)), NOW - 123)
  t.equal(at(), NOW)
})

t.test('judges namespaces', async t => {
  t.equal(namespaceError('cloudwatch-postman'), null)
  t.match(namespaceError('AWS/EC2'), /AWS\//)
  t.match(namespaceError(':x'), /colon/)
  t.match(namespaceError(''), /empty/)
  t.match(namespaceError('x'.repeat(256)), /255/)
})

t.test('what it takes is what the documented schema describes', async () => {
  const validate = new Ajv({ schemas: [DimensionSchema, StatisticSetSchema], strict: false }).compile(MetricDatumSchema)
  const text = fc.oneof(fc.constantFrom('', ' ', ':x', 'é'), fc.string({ maxLength: 8 }))
  const value = fc.oneof(fc.double(), fc.constantFrom<unknown>(null, '1', 2 ** 361))
  const datum = fc.record({
    MetricName: text,
    Dimensions: fc.array(fc.record({ Name: text, Value: text }), { maxLength: 3 }),
    Value: value,
    Values: fc.array(value, { maxLength: 4 }),
    Counts: fc.array(value, { maxLength: 4 }),
    StatisticValues: fc.record({ SampleCount: value, Sum: value, Minimum: value, Maximum: value }),
    Unit: fc.constantFrom('Count', 'count', 'None'),
    StorageResolution: fc.constantFrom<unknown>(1, 60, 30, '60'),
    Extra: fc.constant(1)
  }, { requiredKeys: ['MetricName'] })
  fc.assert(fc.property(datum, datum => {
    const answer = read(datum)
    return 'reason' in answer || validate(datum)
  }), { numRuns: 2_000 })
})

t.equal(LIMIT.MAX_VALUES, 150)

import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { PUT_METRIC_DATA as LIMIT } from '../../../../../schemas/aws-limits.js'
import { cutMetricBatches, metricBatch } from '../../../../../lib/delivery/sinks/metrics/metric-batches.js'

const ofBytes = (bytes: number): { bytes: number } => ({ bytes })

t.test('a call holds 1,000 datums', async t => {
  const batches = cutMetricBatches('App', Array.from({ length: 2_001 }, () => ofBytes(60)))
  t.same(batches.map(({ datums }) => datums.length), [1_000, 1_000, 1])
})

t.test('a call is filled to the last byte and not beyond', async t => {
  const empty = JSON.stringify({ Namespace: 'App', MetricData: [] }).length
  const second = LIMIT.MAX_BYTES - empty - 500_000 - ','.length
  t.same(cutMetricBatches('App', [ofBytes(500_000), ofBytes(second)]).map(({ bytes }) => bytes), [LIMIT.MAX_BYTES])
  t.equal(cutMetricBatches('App', [ofBytes(500_000), ofBytes(second + 1)]).length, 2)
})

t.test('every batch keeps the limits, in order, and counts itself right', async () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 50, max: 60_000 }).map(ofBytes), {
    minLength: 1, maxLength: 200
  }), datums => {
    const batches = cutMetricBatches('App', datums)
    assert.deepEqual(batches.flatMap(batch => batch.datums), datums)
    for (const batch of batches) {
      assert.ok(batch.bytes <= LIMIT.MAX_BYTES)
      assert.deepEqual(metricBatch('App', batch.datums), batch)
    }
  }), { numRuns: 50 })
})

t.test('nothing makes no call', async t => {
  t.same(cutMetricBatches('App', []), [])
})

import t from 'tap'
import { createCallFilter } from '../../../lib/metering/call-filter.js'
import { readCalls } from '../../../lib/metering/read-calls.js'
import { accessLogLine, accessLogLines, meteredCall } from '../../helpers/metering.js'

const lines = (...texts: string[]) =>
  texts.map((text, index) => ({ text, origin: { key: String(index), timestamp: 0 } }))

t.test('one bad line costs no other', async t => {
  const read = readCalls(
    lines(
      accessLogLine({ extendedRequestId: 'A' }),
      'not JSON',
      accessLogLine({ status: '-' }),
      accessLogLine({ extendedRequestId: 'B' })
    ),
    createCallFilter()
  )
  t.strictSame(read.calls.map(({ correlationId }) => correlationId), ['A', 'B'])
  t.match(read.unreadable, [
    { line: 'not JSON', message: 'the line is not a JSON object', origin: { key: '1' } },
    { message: 'the status is missing', origin: { key: '2' } }
  ])
})

t.test('a line that comes twice is one call', async t => {
  const read = readCalls(
    lines(accessLogLine(), accessLogLine(), accessLogLine({ extendedRequestId: 'B' })), createCallFilter()
  )
  t.equal(read.calls.length, 2)
  t.equal(read.duplicates, 1)
})

t.test('every line is a call, a duplicate, skipped or unreadable', async t => {
  const texts = [
    ...accessLogLines(5), ...accessLogLines(2), 'x',
    accessLogLine({ extendedRequestId: 'C', clientId: '-', principalId: '-' }),
    accessLogLine({ extendedRequestId: 'D', status: '403', integrationLatency: '-', integrationStatus: '-' })
  ]
  const { calls, duplicates, skipped, unreadable } = readCalls(lines(...texts), createCallFilter())
  t.strictSame([calls.length, duplicates, skipped, unreadable.length], [
    5,
    2,
    { 'turned-away': 1, anonymous: 1, excluded: 0 },
    1
  ])
})

t.test('two objects in one line are two calls when no caller can have written one', async t => {
  const text = ['A', 'B'].map(extendedRequestId =>
    accessLogLine({ extendedRequestId, path: undefined, userAgent: undefined }))
  for (const between of ['', ' ', '\n']) {
    const { calls, unreadable } = readCalls(lines(text.join(between)), createCallFilter())
    t.strictSame([calls.map(({ correlationId }) => correlationId), unreadable], [['A', 'B'], []])
  }
  const bare = '{"status":"200","clientId":"acme"}'
  t.equal(new Set(readCalls(lines(bare + bare), createCallFilter()).calls.map(({ id }) => id)).size, 2)
})

t.test('of several objects in one line, those that the caller may have written are unreadable, and the first is metered', async t => {
  for (const second of [
    accessLogLine({ extendedRequestId: 'B', clientId: 'victim' }),
    '{"broken":"a"b"}',
    '{"open":"'
  ]) {
    const { calls, unreadable } = readCalls(lines(accessLogLine() + second), createCallFilter())
    t.strictSame(calls.map(({ application, correlationId }) => [application, correlationId]), [['acme', 'X1']], second)
    t.match(unreadable, [{ message: /more than one object/ }])
  }
  const forged = accessLogLine({
    clientId: undefined, principalId: undefined, userAgent: 'AGENT'
  }).replace('AGENT', 'x","clientId":"victim"}{"a":"')
  const { calls, unreadable } = readCalls(lines(forged), createCallFilter())
  t.strictSame([calls, unreadable.length], [[], 2])
  t.equal(readCalls(lines(accessLogLine({ userAgent: 'a }{ b' })), createCallFilter()).unreadable.length, 0)
})

t.test('an unreadable line is kept up to a length', async t => {
  const { unreadable } = readCalls(lines('x'.repeat(1_000_000)), createCallFilter())
  t.ok(unreadable[0]!.line.length < 10_000)
})

t.test('by default, all is metered but what was turned away and what has no client', async t => {
  const filter = createCallFilter()
  const { application, ...anonymous } = meteredCall('1')
  t.equal(application, 'acme')
  t.equal(filter(meteredCall('1')), null)
  t.equal(filter(meteredCall('1', { method: 'OPTIONS', responseCode: 500 })), null)
  t.equal(filter(meteredCall('1', { turnedAway: true })), 'turned-away')
  t.equal(filter(anonymous), 'anonymous')
  t.equal(createCallFilter({ turnedAway: true })(meteredCall('1', { turnedAway: true })), null)
  t.equal(createCallFilter({ anonymous: true })(anonymous), null)
})

t.test('methods, paths and statuses can be left out', async t => {
  const filter = createCallFilter({
    excludeMethods: ['options'], excludePaths: ['/health'], excludeStatuses: ['404', '5XX']
  })
  t.equal(filter(meteredCall('1', { method: 'OPTIONS' })), 'excluded')
  t.equal(filter(meteredCall('1', { url: '/health/live' })), 'excluded')
  t.equal(filter(meteredCall('1', { responseCode: 404 })), 'excluded')
  t.equal(filter(meteredCall('1', { responseCode: 503 })), 'excluded')
  t.equal(filter(meteredCall('1', { responseCode: 403 })), null)
  t.throws(() => createCallFilter({ excludeStatuses: ['teapot'] }), /a status must be like 404 or 4xx, not teapot/)
})

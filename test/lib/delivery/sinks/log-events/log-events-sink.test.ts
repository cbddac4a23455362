import {
  CreateLogGroupCommand, CreateLogStreamCommand, DeleteLogGroupCommand, DescribeLogGroupsCommand
} from '@aws-sdk/client-cloudwatch-logs'
import t from 'tap'
import { PUT_LOG_EVENTS as LIMIT } from '../../../../../schemas/aws-limits.js'
import type { StoredLogEvent } from '../../../../../lib/items/item.js'
import { createLogEventsSink } from '../../../../../lib/delivery/sinks/log-events/log-events-sink.js'
import {
  LOG_EVENT_BUFFERS, accountedItems, itemsOf, leaseOf, logRecords, startCloud, unlimitedLogs, watchedContext,
  type Cloud
} from '../../../../helpers/delivery.js'

const HOUR = 3_600_000
const DESTINATION = '/app/web:page'

const messagesOf = (
  { sandbox }: Cloud, group?: string
): string[] => [...sandbox.items(group)].map(({ message }) => message)
const eventsOf = (messages: string[], at = Date.now()): StoredLogEvent[] =>
  messages.map((message, i) => [at + i, message])

async function createStream ({ logs }: Cloud): Promise<void> {
  await logs.send(new CreateLogGroupCommand({ logGroupName: '/app/web' }))
  await logs.send(new CreateLogStreamCommand({ logGroupName: '/app/web', logStreamName: 'page' }))
}

for (const [kind, createBuffer] of LOG_EVENT_BUFFERS) {
  t.test(`the records of a lease are delivered in one call, in chronological order, ${kind}`, async t => {
    const cloud = await startCloud(t)
    await createStream(cloud)
    const sink = createLogEventsSink({ createBuffer, logs: cloud.logs, rateLimiters: unlimitedLogs })
    const now = Date.now()
    const context = watchedContext()
    const { settlement, failure } = await sink.deliver(leaseOf('logs', DESTINATION, [
      ...logRecords([[now, 'second'], [now + 2, 'fourth']]),
      ...logRecords([[now + 1, 'third'], [now - 1, 'first']])
    ]), context)
    t.equal(failure, null)
    t.same(settlement, { delivered: 4, rejected: {}, deadLetters: [], remainder: [] })
    t.same(messagesOf(cloud), ['first', 'second', 'third', 'fourth'])
    t.equal(cloud.sandbox.ledger().calls.PutLogEvents, 1)
    t.match(context.calls, [{
      api: 'PutLogEvents',
      destination: DESTINATION,
      items: 4,
      fill: 4 / LIMIT.MAX_EVENTS,
      failure: null
    }])
  })

  t.test(`a missing group and stream are made once, with the retention, and the events arrive, ${kind}`, async t => {
    const cloud = await startCloud(t)
    const sink = createLogEventsSink({
      createBuffer,
      logs: cloud.logs,
      rateLimiters: unlimitedLogs,
      retentionDaysFor: () => 30
    })
    const deliver = (stream: string) =>
      sink.deliver(leaseOf('logs', `/app/new:${stream}`, logRecords(eventsOf([stream]))), watchedContext())
    const deliveries = await Promise.all(['a', 'a', 'b', 'c'].map(deliver))
    t.same(deliveries.map(({ failure, settlement }) => [failure, settlement.delivered]), Array(4).fill([null, 1]))
    t.same(messagesOf(cloud).sort(), ['a', 'a', 'b', 'c'])
    t.equal(cloud.sandbox.ledger().calls.CreateLogGroup, 1, 'at the same time or not')
    t.equal(cloud.sandbox.ledger().calls.PutRetentionPolicy, 1)
    const { logGroups } = await cloud.logs.send(new DescribeLogGroupsCommand({}))
    t.equal(logGroups?.[0]?.retentionInDays, 30)

    await deliver('d')
    t.equal(cloud.sandbox.ledger().calls.CreateLogGroup, 1, 'a new stream of a group that exists needs the stream only')
  })

  t.test(`the retention of a group that was there is left alone, ${kind}`, async t => {
    const cloud = await startCloud(t)
    await cloud.logs.send(new CreateLogGroupCommand({ logGroupName: '/app/web' }))
    const sink = createLogEventsSink({
      createBuffer,
      logs: cloud.logs,
      rateLimiters: unlimitedLogs,
      retentionDaysFor: () => 30
    })
    await sink.deliver(leaseOf('logs', DESTINATION, logRecords(eventsOf(['m']))), watchedContext())
    t.equal(cloud.sandbox.ledger().calls.PutRetentionPolicy, undefined)
    t.same(messagesOf(cloud), ['m'])
  })

  t.test(`a retention that is throttled is tried again on the spot, ${kind}`, async t => {
    const cloud = await startCloud(t)
    cloud.sandbox.faults.set([{ kind: 'throttle', action: 'PutRetentionPolicy', count: 2 }])
    const sink = createLogEventsSink({
      createBuffer,
      logs: cloud.logs,
      rateLimiters: unlimitedLogs,
      retentionDaysFor: () => 7
    })
    const { failure } = await sink.deliver(leaseOf('logs', DESTINATION, logRecords(eventsOf(['m']))), watchedContext())
    t.equal(failure, null)
    const { logGroups } = await cloud.logs.send(new DescribeLogGroupsCommand({}))
    t.equal(logGroups?.[0]?.retentionInDays, 7)
  })

  t.test(`for an application that has had its log streams of the day none is made, and its items wait, ${kind}`, async t => {
    const cloud = await startCloud(t)
    await createStream(cloud)
    const sink = createLogEventsSink({
      createBuffer,
      logs: cloud.logs,
      rateLimiters: unlimitedLogs,
      mayCreateFor: application => application !== 'spent'
    })
    const deliver = (application: string, destination: string) =>
      sink.deliver(
        { ...leaseOf('logs', destination, logRecords(eventsOf([application]))), application }, watchedContext()
      )
    t.match(await deliver('spent', '/app/web:new'), {
      failure: { class: 'throttle', retryAfterMs: 300_000 }, settlement: { delivered: 0, remainder: [{ items: 1 }] }
    })
    t.match(await deliver('spent', DESTINATION), { failure: null, settlement: { delivered: 1 } })
    t.match(await deliver('shop', '/app/web:new'), { failure: null, settlement: { delivered: 1 } })
    t.match(await deliver('spent', '/app/web:new'), { failure: null, settlement: { delivered: 1 } })
  })

  t.test(`a group that is deleted later is made again, ${kind}`, async t => {
    const cloud = await startCloud(t)
    const sink = createLogEventsSink({ createBuffer, logs: cloud.logs, rateLimiters: unlimitedLogs })
    const deliver = (message: string) =>
      sink.deliver(leaseOf('logs', DESTINATION, logRecords(eventsOf([message]))), watchedContext())
    await deliver('before')
    await cloud.logs.send(new DeleteLogGroupCommand({ logGroupName: '/app/web' }))
    t.equal((await deliver('after')).failure, null)
    t.same(messagesOf(cloud), ['after'])
  })

  t.test(`when the creation fails, its failure decides, ${kind}`, async t => {
    const cloud = await startCloud(t)
    cloud.sandbox.faults.set([{ kind: 'refuse', action: 'CreateLogGroup' }])
    const sink = createLogEventsSink({ createBuffer, logs: cloud.logs, rateLimiters: unlimitedLogs })
    const lease = leaseOf('logs', DESTINATION, logRecords(eventsOf(['m'])))
    const { failure, settlement } = await sink.deliver(lease, watchedContext())
    t.equal(failure?.class, 'denied')
    t.same(
      settlement.remainder,
      lease.records.map(({ line, items, bytes }) => ({ line, items, bytes })),
      'the records are given back as they were'
    )
  })

  t.test(`a poisoned event is found and kept, every other is delivered exactly once, ${kind}`, async t => {
    const cloud = await startCloud(t)
    await createStream(cloud)
    cloud.sandbox.faults.set([{
      kind: 'refuse',
      code: 'InvalidParameterException',
      message: 'poison is not allowed',
      messageIncludes: 'poison'
    }])
    const sink = createLogEventsSink({ createBuffer, logs: cloud.logs, rateLimiters: unlimitedLogs })
    const messages = Array.from({ length: 1_000 }, (_, i) => i === 77 || i === 900 ? `poison ${i}` : `good ${i}`)
    const context = watchedContext()
    const { settlement, failure, receipts } = await sink.deliver(
      leaseOf('logs', DESTINATION, logRecords(eventsOf(messages), { id: 'r', indexes: messages.map((_, i) => i) })),
      context
    )
    t.equal(failure, null)
    t.equal(settlement.delivered, 998)
    t.same(messagesOf(cloud), messages.filter(message => message.startsWith('good')), 'no half is sent twice')
    t.same(itemsOf<StoredLogEvent>(settlement.deadLetters).map(([, message]) => message), ['poison 77', 'poison 900'])
    t.match(settlement.deadLetters, [
      { reason: 'refused', items: 1, message: /InvalidParameter.*poison is not allowed/ }, {}
    ])
    t.match(receipts, [{
      id: 'r', delivered: 998, rejected: [{ index: 77, reason: 'refused' }, { index: 900, reason: 'refused' }]
    }])
    t.ok(context.calls.length < 50, 'in few calls')
  })

  t.test(`where everything is refused, a delivery ends before it keeps the others waiting, and the next goes on, ${kind}`, async t => {
    const cloud = await startCloud(t)
    await createStream(cloud)
    cloud.sandbox.faults.set([{ kind: 'refuse', code: 'InvalidParameterException' }])
    const sink = createLogEventsSink({ createBuffer, logs: cloud.logs, rateLimiters: unlimitedLogs })
    let records = logRecords(eventsOf(Array.from({ length: 300 }, (_, i) => `m${i}`)))
    let dead = 0
    let rounds = 0
    while (records.length > 0) {
      rounds++
      const context = watchedContext()
      const { settlement, failure } = await sink.deliver(leaseOf('logs', DESTINATION, records), context)
      t.ok(context.calls.length <= 128)
      t.equal(failure?.class ?? 'invalid', 'invalid')
      dead += settlement.deadLetters!.length
      records = settlement.remainder!
    }
    t.equal(dead, 300)
    t.ok(rounds > 1)
  })

  t.test(`events that CloudWatch rejects one by one are told apart, ${kind}`, async t => {
    const cloud = await startCloud(t)
    const sink = createLogEventsSink({
      createBuffer,
      logs: cloud.logs,
      rateLimiters: unlimitedLogs,
      retentionDaysFor: () => 1
    })
    const now = Date.now()
    const deliver = async (timestamps: number[], context = watchedContext()) =>
      await sink.deliver(
        leaseOf(
          'logs',
          DESTINATION,
          logRecords(timestamps.map(at => [at, 'm']), { id: 'r', indexes: timestamps.map((_, i) => i) })
        ),
        context
      )
    const context = watchedContext()
    const { settlement, receipts } = await deliver(
      [now, now - 15 * 24 * HOUR, now + 3 * HOUR, now - 30 * HOUR, now - HOUR, now - 29 * HOUR], context
    )
    t.equal(settlement.delivered, 2)
    t.same(settlement.rejected, { 'too-old': 1, 'too-new': 1, expired: 2 })
    t.same(settlement.remainder, [])
    t.same(context.rejected.sort(), [
      [DESTINATION, 'expired', 2],
      [DESTINATION, 'too-new', 1],
      [DESTINATION, 'too-old', 1]
    ])
    const [receipt] = receipts
    t.equal(receipt!.delivered, 2)
    t.ok(receipt!.requestId, 'it has the id of the call')
    t.same(receipt!.rejected.map(({ index, reason }) => [index, reason]).sort(), [
      [1, 'too-old'],
      [2, 'too-new'],
      [3, 'expired'],
      [5, 'expired']
    ])
  })

  t.test(`a lease that is larger than a call is cut, and what comes after a failure is the remainder, ${kind}`, async t => {
    const cloud = await startCloud(t)
    await createStream(cloud)
    cloud.sandbox.faults.set([{ kind: 'error', status: 503, messageIncludes: 'fails' }])
    const sink = createLogEventsSink({ createBuffer, logs: cloud.logs, rateLimiters: unlimitedLogs })
    const now = Date.now()
    const events: StoredLogEvent[] = [
      [now - 20 * HOUR, 'a'],
      [now, 'b'],
      [now - 50 * HOUR, 'c'],
      [now - 19 * HOUR, 'fails'],
      [now + 1, 'd']
    ]
    const context = watchedContext()
    const lease = leaseOf('logs', DESTINATION, logRecords(events, { id: 'r', indexes: [5, 6, 7, 8, 9] }))
    const { settlement, failure, receipts } = await sink.deliver(lease, context)
    t.equal(failure?.class, 'unavailable')
    t.equal(settlement.delivered, 1)
    t.equal(accountedItems(settlement), 5)
    t.equal(context.extensions, context.calls.length, 'the lease is held before each call')
    t.match(receipts, [{ id: 'r', delivered: 1 }])

    cloud.sandbox.faults.clear()
    const second = await sink.deliver(leaseOf('logs', DESTINATION, settlement.remainder!), watchedContext())
    t.equal(second.failure, null)
    t.match(second.receipts, [{ id: 'r', delivered: 4, rejected: [] }], 'whoever waits is told of the rest')
    t.same(messagesOf(cloud).sort(), ['a', 'b', 'c', 'd', 'fails'], 'each exactly once')
  })

  t.test(`a record that cannot be read is kept, and the others go on, ${kind}`, async t => {
    const cloud = await startCloud(t)
    await createStream(cloud)
    const sink = createLogEventsSink({ createBuffer, logs: cloud.logs, rateLimiters: unlimitedLogs })
    const torn = { line: '{"v":1,"e":[[17', items: 3, bytes: 90 }
    const { settlement, failure } = await sink.deliver(
      leaseOf('logs', DESTINATION, [torn, ...logRecords(eventsOf(['m']))]), watchedContext()
    )
    t.equal(failure, null)
    t.match(settlement, {
      delivered: 1, remainder: [], deadLetters: [{ ...torn, reason: 'corrupt', message: /not JSON/ }]
    })
  })

  t.test(`answers of the days of sequence tokens do not stop anything, ${kind}`, async t => {
    const cloud = await startCloud(t)
    await createStream(cloud)
    const sink = createLogEventsSink({ createBuffer, logs: cloud.logs, rateLimiters: unlimitedLogs })
    const deliver = () => sink.deliver(leaseOf('logs', DESTINATION, logRecords(eventsOf(['m']))), watchedContext())
    cloud.sandbox.faults.set([{ kind: 'refuse', code: 'DataAlreadyAcceptedException', count: 1 }])
    t.match(await deliver(), { settlement: { delivered: 1 }, failure: null })
    cloud.sandbox.faults.set([{ kind: 'refuse', code: 'InvalidSequenceTokenException', count: 1 }])
    t.match(await deliver(), { settlement: { delivered: 0 }, failure: { class: 'sequence' } })
    t.match(await deliver(), { settlement: { delivered: 1 }, failure: null })
  })

  t.test(`an aborted delivery gives back what it has not sent, ${kind}`, async t => {
    const cloud = await startCloud(t)
    await createStream(cloud)
    cloud.sandbox.faults.set([{ kind: 'hang', messageIncludes: 'hangs' }])
    const sink = createLogEventsSink({ createBuffer, logs: cloud.logs, rateLimiters: unlimitedLogs })
    const now = Date.now()
    const { settlement, failure } = await sink.deliver(
      leaseOf('logs', DESTINATION, logRecords([[now - 50 * HOUR, 'sent'], [now, 'hangs']])),
      watchedContext(AbortSignal.timeout(300))
    )
    t.equal(failure?.class, 'unavailable')
    t.equal(settlement.delivered, 1)
    t.same(itemsOf<StoredLogEvent>(settlement.remainder).map(([, message]) => message), ['hangs'])
  })
}

import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { createMetricsSink } from '../../../lib/delivery/sinks/metrics/metrics-sink.js'
import type { Sink } from '../../../lib/delivery/sinks/sink.js'
import { SpoolUnavailableError, type Lease, type Spool } from '../../../lib/spool/spool.js'
import { logRecords, metricRecords, startCloud, unlimited } from '../../helpers/delivery.js'
import {
  QUICK_BACKOFF, SPOOL_OPTIONS, appendMessages, checkBalance, isEmpty, logsSink, messagesOf, named, openSpool, until,
  watchForwarder
} from '../../helpers/forwarder.js'
import { useWallClock } from '../../helpers/wall-clock.js'

const DESTINATION = '/app/web:page'
const RAN_OUT = 'the lease ran out before the call, and another process may have its items'

t.test('what lingers together is delivered together, one call for each destination', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 300 })
  const { forwarder, observed } = watchForwarder(t, spool, logsSink(cloud))
  forwarder.start()
  await Promise.all(Array.from({ length: 60 }, (_, i) => {
    const stream = 'abc'[i % 3]!
    return appendMessages(spool, `/app/web:${stream}`, [`${stream} ${i}`])
  }))
  await until(isEmpty(spool))
  t.equal(messagesOf(cloud).length, 60)
  const taken = cloud.sandbox.calls().filter(({ action, error }) => action === 'PutLogEvents' && error === undefined)
  t.equal(taken.length, 3)
  t.same(observed.delivered.map(({ items }) => items), [20, 20, 20])
  t.ok(observed.delivered.every(({ delayMs }) => delayMs >= 250), 'after the linger')
  await checkBalance(t, spool, { accepted: 60, delivered: 60 })
})

t.test('metrics take the same way', async t => {
  const { sandbox, cloudwatch } = await startCloud(t)
  const spool = await openSpool(t)
  const { forwarder } = watchForwarder(t, spool, createMetricsSink({ cloudwatch, rateLimiter: unlimited }))
  forwarder.start()
  const minute = Math.floor(Date.now() / 60_000) * 60_000
  for (let i = 0; i < 30; i++) {
    await spool.append({
      kind: 'metrics', destination: 'App', records: metricRecords([{ MetricName: 'Load', Value: i, Timestamp: minute }])
    })
  }
  await until(isEmpty(spool))
  t.match(sandbox.ledger(), { dataPoints: 30 })
  t.ok(sandbox.ledger().datums < 30, 'merged')
  await checkBalance(t, spool, { delivered: 30 })
})

t.test('whatever fails for a while is delivered in the end, once', async t => {
  const cloud = await startCloud(t, { requestTimeoutMs: 200 })
  for (const [kind, expected] of [
    ['throttle', 'throttle'],
    ['error', 'unavailable'],
    ['reset', 'unavailable'],
    ['garbage', 'unavailable'],
    ['hang', 'unavailable']
  ] as const) {
    await t.test(kind, async t => {
      cloud.sandbox.reset()
      const spool = await openSpool(t, { lingerMs: 20 })
      cloud.sandbox.faults.set([{ kind, action: 'PutLogEvents', count: 3 }])
      const { forwarder, observed } = watchForwarder(t, spool, logsSink(cloud))
      await appendMessages(spool, DESTINATION, ['first', 'second'])
      forwarder.start()
      await until(isEmpty(spool))
      t.same(messagesOf(cloud), ['first', 'second'])
      t.equal(observed.retries[expected], 3)
      const failures = observed.logged.filter(({ message }) => message.startsWith('delivery failed'))
      t.same(
        failures.map(({ fields }) => [fields.destination, fields.class, fields.attempt]),
        [0, 1, 2].map(attempt => [DESTINATION, expected, attempt])
      )
      t.ok(failures.every(({ fields }) => typeof fields.nextTryMs === 'number' && typeof fields.reason === 'string'))
      t.notMatch(JSON.stringify(observed.logged), 'second', 'a payload is never logged')
      await checkBalance(t, spool, { delivered: 2 })
    })
  }
})

t.test('after a failure half-way the rest waits for its next attempt, and nothing is sent twice', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 20 })
  cloud.sandbox.faults.set([{ kind: 'throttle', messageIncludes: 'today', count: 1 }])
  const { forwarder } = watchForwarder(t, spool, logsSink(cloud), {
    backoff: { ...QUICK_BACKOFF, retry: { floorMs: 700, baseMs: 700, capMs: 700 } }
  })
  const now = Date.now()
  await spool.append({
    kind: 'logs',
    destination: DESTINATION,
    records: logRecords([[now, 'today'], [now - 48 * 3_600_000, 'the day before yesterday']])
  })
  forwarder.start()
  await until(isEmpty(spool))
  t.same(messagesOf(cloud), ['the day before yesterday', 'today'])
  const [throttled, again] = cloud.sandbox.calls().filter(({ action }) => action === 'PutLogEvents').slice(-2)
  t.equal(throttled!.error, 'ThrottlingException')
  t.ok(again!.at - throttled!.at >= 600)
  await checkBalance(t, spool, { delivered: 2 })
})

t.test('what is denied is kept, and health says so until it is allowed', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 20 })
  const { forwarder, observed } = watchForwarder(t, spool, logsSink(cloud))
  cloud.sandbox.faults.set([{ kind: 'refuse', logGroupName: '/app/web', message: 'no permission' }])
  await appendMessages(spool, DESTINATION, ['kept'])
  forwarder.start()
  t.equal(forwarder.health().failing, null)
  await until(() => (observed.retries.denied ?? 0) >= 2)
  t.match(forwarder.health(), {
    failing: {
      destination: DESTINATION,
      class: 'denied',
      message: /AccessDenied.*no permission/,
      destinations: 1,
      partial: false
    }
  })
  await appendMessages(spool, '/other:page', ['delivered'])
  await until(() => messagesOf(cloud, '/other').length === 1)
  await until(() => forwarder.health().failing?.partial === true)
  t.match(
    forwarder.health(), { failing: { destination: DESTINATION, partial: true } }, 'another destination does not hide it'
  )
  await checkBalance(t, spool, { delivered: 1, inSpool: 1 })

  cloud.sandbox.faults.clear()
  await until(isEmpty(spool))
  t.same(messagesOf(cloud, '/app/web'), ['kept'])
  await until(() => forwarder.health().failing === null)
  t.equal(forwarder.health().failing, null)
  await checkBalance(t, spool)
})

t.test('a poisoned event becomes a dead letter, the others are delivered once', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t)
  cloud.sandbox.faults.set([{ kind: 'refuse', code: 'InvalidParameterException', messageIncludes: 'poison' }])
  const { forwarder, observed } = watchForwarder(t, spool, logsSink(cloud))
  await appendMessages(spool, DESTINATION, [...named('good', 50), 'poison', ...named('fine', 50)])
  forwarder.start()
  await until(isEmpty(spool))
  t.same(messagesOf(cloud).sort(), [...named('good', 50), ...named('fine', 50)].sort())
  const { deadLetters } = await spool.deadLetters.list({}, { limit: 10 })
  t.match(deadLetters, [{ kind: 'logs', destination: DESTINATION, reason: 'refused', items: 1, line: /poison/ }])
  t.equal(observed.deadLettered, 1)
  await checkBalance(t, spool, { delivered: 100, deadLettered: 1 })
})

t.test('events that CloudWatch rejects are counted, and whoever waits is told', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t)
  const { forwarder, observed } = watchForwarder(t, spool, logsSink(cloud))
  forwarder.start()
  const now = Date.now()
  const records = logRecords([[now, 'in time'], [now - 15 * 24 * 3_600_000, 'too old']], {
    id: 'receipt', indexes: [0, 1]
  })
  await spool.append({ kind: 'logs', destination: DESTINATION, records, urgent: true })
  await until(
    () =>
      observed.receipts.length > 0 &&
        observed.receipts.reduce((sum, { delivered, rejected }) => sum + delivered + rejected.length, 0) === 2
  )
  t.match(observed.receipts.flatMap(({ rejected }) => rejected), [{ index: 1, reason: 'too-old' }])
  t.equal(observed.rejected, 1)
  await checkBalance(t, spool, { delivered: 1, rejected: { 'too-old': 1 } })
})

t.test('an urgent append does not wait for the linger', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 60_000 })
  const { forwarder, observed } = watchForwarder(t, spool, logsSink(cloud))
  forwarder.start()
  await appendMessages(spool, DESTINATION, ['now'], true)
  await until(() => observed.delivered.length > 0)
  t.ok(observed.delivered[0]!.delayMs < 10_000)
  await checkBalance(t, spool)
})

t.test('a call that takes longer than a lease is not made twice', async t => {
  const cloud = await startCloud(t)
  const leaseMs = 600
  const spool = await openSpool(t, { leaseMs, lingerMs: 20 })
  await appendMessages(spool, DESTINATION, ['makes the stream'])
  const { forwarder } = watchForwarder(t, spool, logsSink(cloud), { leaseMs })
  forwarder.start()
  await until(isEmpty(spool))
  cloud.sandbox.faults.set([{ kind: 'delay', delayMs: 2_000, action: 'PutLogEvents' }])
  await appendMessages(spool, DESTINATION, ['slow'])
  await until(isEmpty(spool))
  t.same(messagesOf(cloud), ['makes the stream', 'slow'])
  await checkBalance(t, spool, { delivered: 2 })
})

t.test('a spool that is away is waited for, and what CloudWatch has answered meanwhile is not forgotten', async t => {
  const cloud = await startCloud(t)
  const real = await openSpool(t, { lingerMs: 20 })
  let away = false
  const failing = <Args extends unknown[], Result> (
    call: (...args: Args) => Promise<Result>
  ) => async (...args: Args): Promise<Result> => {
      if (away) throw new SpoolUnavailableError('connection lost')
      return await call(...args)
    }
  const spool: Spool = {
    ...real,
    deadLetters: real.deadLetters,
    append: append => real.append(append),
    ledger: () => real.ledger(),
    onDue: listener => real.onDue(listener),
    take: failing((kind, options) => real.take(kind, options)),
    extend: failing(lease => real.extend(lease)),
    settle: failing((lease, settlement) => real.settle(lease, settlement)),
    release: failing((lease, delayMs) => real.release(lease, delayMs))
  }
  const sink = logsSink(cloud)
  const { forwarder, observed } = watchForwarder(t, spool, {
    kind: 'logs',
    async deliver (lease, context) {
      const delivery = await sink.deliver(lease, context)
      away = true
      return delivery
    }
  })
  forwarder.start()
  await appendMessages(spool, DESTINATION, ['once'])
  await until(() => away)
  await new Promise(resolve => setTimeout(resolve, 500))
  away = false
  await until(isEmpty(spool))
  t.same(messagesOf(cloud), ['once'])
  t.same(
    observed.logged.map(({ level, message }) => [level, message]),
    [['error', 'the spool fails'], ['info', 'the spool works again']],
    'once for each change'
  )
  await checkBalance(t, spool, { delivered: 1 })
})

t.test('a settlement that the spool refuses is delivered again rather than lost', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 20 })
  const sink = logsSink(cloud)
  let wrong = true
  const { forwarder, observed } = watchForwarder(t, spool, {
    kind: 'logs',
    async deliver (lease, context) {
      if (!wrong) return await sink.deliver(lease, context)
      wrong = false
      return { settlement: { delivered: 99 }, failure: null, receipts: [] }
    }
  })
  await appendMessages(spool, DESTINATION, ['kept'])
  forwarder.start()
  await until(isEmpty(spool))
  t.same(messagesOf(cloud), ['kept'])
  t.same(observed.logged.map(({ level, fields }) => [level, fields.destination]), [['error', DESTINATION]])
  await checkBalance(t, spool, { delivered: 1 })
})

t.test('a sink that throws stops nothing', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 20 })
  const sink = logsSink(cloud)
  let thrown = false
  const { forwarder, observed } = watchForwarder(t, spool, {
    kind: 'logs',
    async deliver (lease, context) {
      if (thrown) return await sink.deliver(lease, context)
      thrown = true
      throw new Error('a mistake')
    }
  })
  await appendMessages(spool, DESTINATION, ['kept'])
  forwarder.start()
  await until(isEmpty(spool))
  t.same(messagesOf(cloud), ['kept'])
  t.match(observed.logged[0], { level: 'error', fields: { err: { message: 'a mistake' } } })
  await checkBalance(t, spool, { delivered: 1 })
})

t.test('a wall clock that is set in the middle of a delivery does not end its lease', async t => {
  const wallClock = useWallClock(t)
  const cloud = await startCloud(t, { timelySignatures: false })
  const spool = await openSpool(t, { lingerMs: 20 })
  const real = logsSink(cloud)
  const setBy = [3_600_000, -7_200_000]
  const { forwarder, observed } = watchForwarder(t, spool, {
    kind: 'logs',
    async deliver (lease, context) {
      wallClock.set(setBy.shift() ?? 0)
      return await real.deliver(lease, context)
    }
  })
  forwarder.start()
  await appendMessages(spool, DESTINATION, ['first'])
  await until(() => observed.delivered.length === 1)
  await appendMessages(spool, DESTINATION, ['second'])
  await until(() => observed.delivered.length === 2)
  // In no order: the sandbox sorts by the time of the events, which the set clock has given.
  t.same(messagesOf(cloud).sort(), ['first', 'second'])
  t.same(observed.logged, [])
  for (const { delayMs } of observed.delivered) t.ok(delayMs >= 0, `${delayMs} ms`)
  await checkBalance(t, spool, { delivered: 2 })
})

t.test('a process that stood still for longer than its lease sends nothing of it', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 20 })
  let stoodStillFor = 0
  const monotonicNow = (): number => performance.now() + stoodStillFor
  const real = logsSink(cloud)
  let takes = 0
  const sink: Sink = {
    kind: 'logs',
    async deliver (lease, context) {
      if (takes++ === 0) stoodStillFor += SPOOL_OPTIONS.leaseMs + 1
      return await real.deliver(lease, context)
    }
  }
  const { forwarder, observed } = watchForwarder(t, spool, sink, { monotonicNow })
  await appendMessages(spool, DESTINATION, ['a', 'b'])
  forwarder.start()
  await until(isEmpty(spool))
  t.same(messagesOf(cloud), ['a', 'b'])
  t.equal(
    cloud.sandbox.calls().filter(({ action, error }) => action === 'PutLogEvents' && error === undefined).length, 1
  )
  t.match(observed.logged.map(({ fields }) => fields.reason), [RAN_OUT])
  await checkBalance(t, spool, { delivered: 2 })
})

/**
 * Gives the lease to another holder, as a store does whose clock was set, and gives its records back after a while. The
 * forwarder must have no place for another delivery.
 */
async function stealFor (spool: Spool, lease: Lease, ms: number): Promise<void> {
  await spool.release(lease, 0)
  const { lease: stolen } = await spool.take(lease.kind)
  setTimeout(() => { spool.release(stolen!, 0) }, ms)
}

t.test('when the spool says that others have the lease, nothing more of it is sent', async t => {
  const cloud = await startCloud(t)
  const leaseMs = 600
  const spool = await openSpool(t, { leaseMs, lingerMs: 20 })
  const real = logsSink(cloud)
  let takes = 0
  const { forwarder, observed } = watchForwarder(t, spool, {
    kind: 'logs',
    async deliver (lease, context) {
      if (takes++ === 0) {
        await stealFor(spool, lease, 300)
        await sleep(leaseMs / 3)
      }
      return await real.deliver(lease, context)
    }
  }, { leaseMs, concurrency: 1 })
  await appendMessages(spool, DESTINATION, ['a', 'b'])
  forwarder.start()
  await until(isEmpty(spool))
  t.same(messagesOf(cloud), ['a', 'b'], 'once')
  t.match(observed.logged.map(({ fields }) => fields.reason), [RAN_OUT])
  t.equal(observed.repeated, 0, 'it had sent nothing')
  await checkBalance(t, spool, { delivered: 2 })
})

t.test('items that were delivered under a lease that ran out are counted as repeated, not as delivered', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 20 })
  const real = logsSink(cloud)
  let takes = 0
  const { forwarder, observed } = watchForwarder(t, spool, {
    kind: 'logs',
    async deliver (lease, context) {
      const delivery = await real.deliver(lease, context)
      if (takes++ === 0) await stealFor(spool, lease, 100)
      return delivery
    }
  }, { concurrency: 1 })
  await appendMessages(spool, DESTINATION, ['a', 'b'])
  forwarder.start()
  await until(isEmpty(spool))
  t.same(messagesOf(cloud).sort(), ['a', 'a', 'b', 'b'], 'at least once')
  t.equal(observed.repeated, 2)
  t.same(observed.delivered.map(({ items }) => items), [2])
  t.match(observed.logged, [
    { level: 'warn', message: /delivered twice/, fields: { destination: DESTINATION, items: 2 } }
  ])
  await checkBalance(t, spool, { delivered: 2 })
})

t.test('records of a later version stay in the spool and are tried again slowly, while all others are delivered', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 10 })
  const { forwarder, observed } = watchForwarder(t, spool, logsSink(cloud), {
    backoff: { ...QUICK_BACKOFF, denied: { floorMs: 300, baseMs: 300, capMs: 300 } }
  })
  const later = { line: '{"v":3,"e":[[1,"later"]]}', items: 1, bytes: 31 }
  await spool.append({
    kind: 'logs', destination: DESTINATION, records: [later, ...logRecords([[Date.now(), 'beside it']])]
  })
  await spool.append({ kind: 'logs', destination: '/app/web:other', records: [later] })
  forwarder.start()
  await until(() => messagesOf(cloud).includes('beside it'))
  for (const message of named('after it', 5)) {
    await appendMessages(spool, DESTINATION, [message], true)
    await until(() => messagesOf(cloud).includes(message), 5_000)
  }
  t.same(messagesOf(cloud), ['beside it', ...named('after it', 5)])
  const met = (): number =>
    observed.logged.filter(({ message }) => message === 'records of a later version stay in the spool').length
  await until(() => met() >= 4)
  t.same(await spool.unread(), [{ kind: 'logs', version: 3, records: 2 }])
  t.equal(observed.deadLettered, 0)
  const before = met()
  const since = performance.now()
  await until(() => met() >= before + 4)
  t.ok(performance.now() - since >= 400, 'each queue is tried once in 300 ms')
  await forwarder.stop(2_000)
  await checkBalance(t, spool, { delivered: 6, inSpool: 2 })
})

import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { API_TPS } from '../../../../schemas/aws-limits.js'
import type { RateLimiter } from '../../../../lib/resilience/rate-limiter.js'
import type { DeliverContext, Delivery } from '../../../../lib/delivery/sinks/sink.js'
import { SinkThread } from '../../../../lib/delivery/thread/sink-thread.js'
import { packRecords, unpackRecords } from '../../../../lib/delivery/thread/messages.js'
import type { DeliverSettings } from '../../../../lib/delivery/thread/deliver.js'
import {
  accountedItems, leaseOf, logRecords, metricRecords, unlimited, watchedContext
} from '../../../helpers/delivery.js'
import { useSandbox } from '../../../helpers/app.js'
import {
  appendMessages, checkBalance, isEmpty, named, openSpool, until, watchForwarder
} from '../../../helpers/forwarder.js'
import type { Sandbox } from '../../../../tools/sandbox/sandbox.js'

const DESTINATION = '/app/web:page'

interface Threaded {
  thread: SinkThread
  sandbox: Sandbox
  logged: object[]
}

async function startThread (
  t: Test, rateLimiter: RateLimiter = unlimited, settings: Partial<DeliverSettings> = {}
): Promise<Threaded> {
  const sandbox = await useSandbox(t)
  const logged: object[] = []
  const log = (fields: object): void => { logged.push(fields) }
  const data: DeliverSettings = {
    region: 'eu-west-1',
    requestTimeoutMs: 10_000,
    background: false,
    logEventBuffer: 'text',
    ...settings
  }
  const thread = new SinkThread({
    module: new URL('../../../../lib/delivery/thread/deliver.js', import.meta.url),
    data,
    rateLimiters: Object.fromEntries(Object.keys(API_TPS).map(api => [api, rateLimiter])),
    retentionDaysFor: group => group === '/app/web' ? 7 : undefined,
    mayCreateFor: () => true,
    concurrency: 2,
    log: { info: log, warn: log, error: log }
  })
  t.teardown(() => thread.close())
  return { thread, sandbox, logged }
}

/** A thread whose sink does what the destination says; and what it has logged. */
function startOddThread (
  t: Test,
  rateLimiter: RateLimiter = unlimited,
  retentionDaysFor: (group: string) => number | undefined = () => undefined
): Omit<Threaded, 'sandbox'> & {
  deliver: (what: string, context?: DeliverContext, application?: string) => Promise<Delivery>
} {
  const logged: object[] = []
  const log = (fields: object): void => { logged.push(fields) }
  const thread = new SinkThread({
    module: new URL('../../../helpers/odd-thread.js', import.meta.url),
    data: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
    rateLimiters: { PutLogEvents: rateLimiter },
    retentionDaysFor,
    mayCreateFor: application => application !== 'spent',
    concurrency: 2,
    log: { info: log, warn: log, error: log }
  })
  t.teardown(() => thread.close())
  const lease = (what: string, application: string) => ({
    ...leaseOf('logs', `${what}:stream`, logRecords([[1, 'a'], [2, 'b']])), application
  })
  return {
    thread,
    logged,
    deliver: (what, context = watchedContext(), application = 'shop') =>
      thread.sink('logs').deliver(lease(what, application), context)
  }
}

/** Lets nothing through, and notes who waits and who has given up. */
function closedRateLimiter (): RateLimiter & { asked: number, given: number } {
  const rateLimiter = {
    asked: 0,
    given: 0,
    async acquire (signal: AbortSignal) {
      rateLimiter.asked++
      if (!signal.aborted) await once(signal, 'abort')
      rateLimiter.given++
      throw signal.reason
    },
    succeeded () {},
    throttled () {}
  }
  return rateLimiter
}

t.test('records cross as they are', async t => {
  const records = leaseOf('logs', DESTINATION, logRecords([[1, 'größe'], [2, 'b']])).records.concat(
    leaseOf('logs', DESTINATION, [{ line: 'corrupt', items: 3, bytes: 7 }]).records
  )
  const crossed = unpackRecords(packRecords(records, bytes => new SharedArrayBuffer(bytes + 100))).map(
    ({ line, items, bytes, appendedAt }) => ({ line, items, bytes, appendedAt })
  )
  t.same(crossed, records)
})

t.test('delivers as its sinks do, and tells of every call', async t => {
  const { thread, sandbox } = await startThread(t)
  const now = Date.now()
  const context = watchedContext()
  const old = now - 15 * 24 * 3_600_000
  const { settlement, failure, receipts } = await thread.sink('logs').deliver(
    leaseOf('logs', DESTINATION, logRecords([[old, 'old'], [now, 'new']], { id: 'r', indexes: [0, 1] })), context
  )
  t.equal(failure, null)
  t.match(settlement, { delivered: 1, rejected: { 'too-old': 1 } })
  t.match(receipts, [{ id: 'r', delivered: 1, rejected: [{ index: 0, reason: 'too-old' }] }])
  t.same(context.rejected, [[DESTINATION, 'too-old', 1]])
  t.same(context.calls.map(({ api }) => api), [
    'PutLogEvents', 'CreateLogStream', 'CreateLogGroup', 'PutRetentionPolicy', 'CreateLogStream', 'PutLogEvents',
    'PutLogEvents'
  ])
  t.equal(context.extensions, context.calls.length)

  const metrics = await thread.sink('metrics').deliver(
    leaseOf('metrics', 'App', metricRecords([{ MetricName: 'Load', Value: 1, Timestamp: now }])), watchedContext()
  )
  t.match(metrics, { settlement: { delivered: 1 }, failure: null })
  t.equal(sandbox.ledger().dataPoints, 1)
})

t.test('log events become the same call whichever buffer they go through, and the setting says which', async t => {
  const bodies: string[] = []
  for (const logEventBuffer of ['text', 'decoded'] as const) {
    const { thread } = await startThread(t, unlimited, { logEventBuffer })
    const server = createServer((request, response) => {
      text(request).then(body => { bodies.push(body) }, () => {})
      response.end('{}')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    process.env.AWS_ENDPOINT_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    t.match(
      await thread.sink('logs').deliver(
        leaseOf('logs', DESTINATION, logRecords([[1, 'größe'], [2, 'b']])), watchedContext()
      ),
      { settlement: { delivered: 2 }, failure: null }
    )
  }
  t.same(JSON.parse(bodies[0]!), JSON.parse(bodies[1]!))
  t.match(bodies[0], '"logEvents":[{"message":"größe","timestamp":1},')
  t.match(bodies[1], '"logEvents":[{"timestamp":1,"message":"größe"},')
})

t.test('comes after the requests of its process where it is to, and nothing else does', {
  skip: process.platform === 'linux' ? false : 'threads have no priority of their own'
}, async t => {
  const niceness = (): number[] =>
    readdirSync('/proc/self/task').map(thread =>
      Number(readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[16]))
  const before = niceness().filter(nice => nice > 0).length
  for (const [background, more] of [[false, 0], [true, 1]] as const) {
    const { thread } = await startThread(t, unlimited, { background })
    await thread.sink('logs').deliver(leaseOf('logs', DESTINATION, logRecords([[Date.now(), 'm']])), watchedContext())
    t.equal(niceness().filter(nice => nice > 0).length, before + more)
  }
})

t.test('waits for the rate limiter of the thread that forwards, and tells it of throttles', async t => {
  let acquired = 0
  let throttled = 0
  const { thread, sandbox } = await startThread(t, {
    acquire: async () => { acquired++ }, succeeded: () => {}, throttled: () => { throttled++ }
  })
  sandbox.faults.set([{ kind: 'throttle', action: 'PutMetricData', count: 1 }])
  const lease = leaseOf('metrics', 'App', metricRecords([{ MetricName: 'Load', Value: 1, Timestamp: Date.now() }]))
  t.match(await thread.sink('metrics').deliver(lease, watchedContext()), { failure: { class: 'throttle' } })
  t.same([acquired, throttled], [1, 1])
})

t.test('an abort ends a call that hangs', async t => {
  const { thread, sandbox } = await startThread(t)
  sandbox.faults.set([{ kind: 'hang' }])
  const abort = new AbortController()
  const delivering = thread.sink('logs').deliver(
    leaseOf('logs', DESTINATION, logRecords([[Date.now(), 'm']])), watchedContext(abort.signal)
  )
  await until(() => sandbox.calls().length > 0)
  abort.abort()
  const { settlement, failure } = await delivering
  t.equal(failure?.class, 'unavailable')
  t.equal(accountedItems(settlement), 1)
})

t.test('sends nothing when the lease has run out', async t => {
  const { thread, sandbox } = await startThread(t)
  const context = watchedContext()
  context.extend = async () => false
  const { settlement, failure } = await thread.sink('logs').deliver(
    leaseOf('logs', DESTINATION, logRecords([[Date.now(), 'm']])), context
  )
  t.match(failure, { class: 'unavailable', message: /lease ran out/ })
  t.equal(accountedItems(settlement), 1)
  t.equal(sandbox.calls().length, 0)
})

t.test('an abort ends the wait for the rate limiter, in both threads', async t => {
  const rateLimiter = closedRateLimiter()
  const { deliver } = startOddThread(t, rateLimiter)
  const abort = new AbortController()
  const delivering = deliver('waits', watchedContext(abort.signal))
  await until(() => rateLimiter.asked > 0)
  abort.abort()
  t.match(await delivering, { failure: { message: 'AbortError' }, settlement: { delivered: 0 } })
  await until(() => rateLimiter.given > 0)
  t.equal(rateLimiter.given, 1)
})

t.test('what a thread that dies had under way is to be tried again, and another thread takes its place', async t => {
  const rateLimiter = closedRateLimiter()
  const { deliver, logged } = startOddThread(t, rateLimiter)
  const waiting = deliver('waits')
  await until(() => rateLimiter.asked > 0)
  for (const { settlement, failure } of await Promise.all([waiting, deliver('dies')])) {
    t.match(failure, { class: 'unavailable' })
    t.equal(settlement.delivered, 0)
    t.equal(accountedItems(settlement), 2)
  }
  t.equal(logged.length, 1)
  await until(() => rateLimiter.given > 0)
  t.equal(rateLimiter.given, 1, 'nothing waits for the rate limiter in its name')
  t.match(await deliver('extends'), { failure: null, settlement: { delivered: 2 } })
})

t.test('a forwarder whose thread dies in the middle loses nothing', async t => {
  const { thread, logged } = startOddThread(t)
  const spool = await openSpool(t)
  const { forwarder, observed } = watchForwarder(t, spool, thread.sink('logs'))
  await appendMessages(spool, 'dies-once:stream', named('message', 20))
  forwarder.start()
  await until(isEmpty(spool))
  t.equal(logged.length, 1)
  t.ok(observed.retries.unavailable! > 0)
  await checkBalance(t, spool, { delivered: 20, inSpool: 0 })
})

t.test('a delivery that throws fails alone', async t => {
  const { deliver, logged } = startOddThread(t, { ...unlimited, acquire: () => sleep(100) })
  const other = deliver('limited')
  await t.rejects(deliver('throws'), { message: 'a sink that throws' })
  t.match(await other, { failure: null, settlement: { delivered: 2 } })
  t.same(logged, [])
})

t.test('a lease that cannot be extended is not held', async t => {
  const { deliver } = startOddThread(t)
  const context = watchedContext()
  context.extend = async () => { throw new Error('the spool is away') }
  t.match(await deliver('extends', context), { failure: { message: 'not held' } })
})

t.test('a lease of which nothing has met its outcome comes back as it was', async t => {
  const { deliver } = startOddThread(t)
  const { settlement, failure } = await deliver('keeps')
  t.match(failure, { message: 'not now' })
  t.same(settlement, { delivered: 0, remainder: logRecords([[1, 'a'], [2, 'b']]) })
})

t.test('what a delivery reads stays as it is until the delivery is over, whatever is delivered meanwhile', async t => {
  const { thread, deliver } = startOddThread(t)
  const records = logRecords([[1, 'first'], [2, 'second']])
  let extend: (held: boolean) => void = () => {}
  const context = watchedContext()
  context.extend = () => new Promise(resolve => { extend = resolve })
  const late = thread.sink('logs').deliver(leaseOf('logs', 'reads-late:stream', records), context)
  for (let i = 0; i < 3; i++) t.match(await deliver('limited'), { failure: null })
  extend(true)
  t.match(await late, { failure: { message: records.map(({ line }) => line).join('\n') } })
})

t.test('a sink asks whether log streams are made for the application of a lease', async t => {
  const { deliver } = startOddThread(t)
  t.match(await deliver('creates'), { failure: { message: 'true' } })
  t.match(await deliver('creates', watchedContext(), 'spent'), { failure: { message: 'false' } })
})

t.test('retention is asked for anew with every lease', async t => {
  let days: number | undefined = 7
  const { deliver } = startOddThread(t, unlimited, () => days)
  t.match(await deliver('retention'), { failure: { message: '7' } })
  days = undefined
  t.match(await deliver('retention'), { failure: { message: 'undefined' } })
})

t.test('a namespace is no log group, whatever its name', async t => {
  const rateLimiter = closedRateLimiter()
  const { thread, deliver } = startOddThread(t, rateLimiter, () => 7)
  const waiting = thread.sink('metrics').deliver(
    leaseOf('metrics', 'retention+', logRecords([[1, 'a']])), watchedContext()
  )
  await until(() => rateLimiter.asked > 0)
  t.match(await deliver('retention'), { failure: { message: '7' } })
  await thread.close()
  await waiting
})

t.test('once closed it starts no other thread', async t => {
  const { thread, deliver } = startOddThread(t)
  t.match(await deliver('limited'), { failure: null })
  await thread.close()
  t.match(await deliver('limited'), { failure: { class: 'unavailable' }, settlement: { delivered: 0 } })
})

t.test('closing ends what is under way; it may be closed twice', async t => {
  const { thread, sandbox } = await startThread(t)
  sandbox.faults.set([{ kind: 'hang' }])
  const delivering = thread.sink('logs').deliver(
    leaseOf('logs', DESTINATION, logRecords([[Date.now(), 'm']])), watchedContext()
  )
  await until(() => sandbox.calls().length > 0)
  await Promise.all([thread.close(), thread.close()])
  t.match(await delivering, { failure: { class: 'unavailable' } })
})

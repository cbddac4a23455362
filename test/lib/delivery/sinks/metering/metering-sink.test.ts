import fc from 'fast-check'
import t from 'tap'
import { rememberDelivered, type DeliveredIds } from '../../../../../lib/metering/delivered-ids.js'
import { encodeRecords } from '../../../../../lib/spool/record.js'
import {
  countMetering, createMeteringSink, METERING_BATCH, type MeteringSinkOptions, type StoredMetering
} from '../../../../../lib/delivery/sinks/metering/metering-sink.js'
import { accountedItems, itemsOf, leaseOf, watchedContext } from '../../../../helpers/delivery.js'
import {
  checkBalance, isEmpty, openSpool, SPOOL_OPTIONS, until, watchForwarder
} from '../../../../helpers/forwarder.js'
import { meteredCall, openTestPlatform, type TestPlatform } from '../../../../helpers/metering.js'

const DESTINATION = 'revenium'
const records = (items: StoredMetering[]) => encodeRecords(items, countMetering)
const lease = (items: StoredMetering[]) => leaseOf('metering', DESTINATION, records(items))
const calls = (count: number) => Array.from({ length: count }, (_, index) => meteredCall(`c${index}`))

function openSink ({ client }: TestPlatform, options: Partial<MeteringSinkOptions> = {}) {
  const seen = { duplicates: 0, memoryErrors: 0 }
  const sink = createMeteringSink({
    client,
    delivered: rememberDelivered({ max: 1_000, now: Date.now }),
    concurrency: 4,
    api: 'v1-meter',
    onDuplicates: count => { seen.duplicates += count },
    onMemoryError: () => { seen.memoryErrors++ },
    ...options
  })
  return { sink, seen }
}

t.test('every call of a lease is sent once and counted', async t => {
  const test = await openTestPlatform(t)
  const { sink } = openSink(test)
  const context = watchedContext()
  const { settlement, failure } = await sink.deliver(lease(calls(50)), context)
  t.equal(failure, null)
  t.match(settlement, { delivered: 50, remainder: [], deadLetters: [] })
  t.equal(test.sandbox.ledger().metered, 50)
  t.equal(context.calls.length, 50)
  t.match(context.calls[0], { api: 'v1-meter', destination: DESTINATION, items: 1, failure: null })
})

t.test('a call that was stored more than once is one event', async t => {
  const test = await openTestPlatform(t)
  const { sink, seen } = openSink(test)
  const { settlement } = await sink.deliver(lease([...calls(3), ...calls(2)]), watchedContext())
  t.equal(settlement.delivered, 5)
  t.equal(test.sandbox.ledger().calls.meter, 3)
  t.equal(seen.duplicates, 2)
})

t.test('what was delivered before is not sent again', async t => {
  const test = await openTestPlatform(t, { idempotent: false })
  const { sink, seen } = openSink(test)
  await sink.deliver(lease(calls(3)), watchedContext())
  const { settlement } = await sink.deliver(lease(calls(5)), watchedContext())
  t.equal(settlement.delivered, 5)
  t.equal(test.sandbox.ledger().metered, 5)
  t.equal(seen.duplicates, 3)
})

t.test('a call is remembered after the answer of the platform, not before', async t => {
  const test = await openTestPlatform(t)
  const added: string[] = []
  const delivered: DeliveredIds = { among: async () => new Set(), add: async ids => { added.push(...ids) } }
  const { sink } = openSink(test, { delivered, concurrency: 1 })
  test.sandbox.faults.set([{ kind: 'answer', status: 503 }])
  await sink.deliver(lease(calls(2)), watchedContext())
  t.strictSame(added, [])
  test.sandbox.faults.clear()
  await sink.deliver(lease(calls(2)), watchedContext())
  t.strictSame(added, ['c0', 'c1'])
})

t.test('a process that is killed between the answer of the platform and its own memory meters nothing twice', async t => {
  const test = await openTestPlatform(t)
  const memory = rememberDelivered({ max: 1_000, now: Date.now })
  let reached = 0
  const killed: DeliveredIds = {
    among: memory.among, add: async () => { reached++; return await new Promise(() => {}) }
  }
  // What is killed never says how it went, and the spool gives out the same lease again.
  openSink(test, { delivered: killed }).sink.deliver(lease(calls(4)), watchedContext()).catch(t.fail)
  await until(() => reached === 4)
  t.equal(test.sandbox.ledger().metered, 4)
  t.equal((await memory.among(calls(4).map(({ id }) => id))).size, 0, 'nothing is remembered yet')

  const { settlement } = await openSink(test, { delivered: memory }).sink.deliver(lease(calls(4)), watchedContext())
  t.equal(settlement.delivered, 4)
  t.match(test.sandbox.ledger(), { metered: 4, duplicates: 4 })
  t.equal((await memory.among(calls(4).map(({ id }) => id))).size, 4)
})

t.test('a memory that fails costs no delivery', async t => {
  const test = await openTestPlatform(t)
  const away = async (): Promise<never> => { throw new Error('away') }
  const { sink, seen } = openSink(test, { delivered: { among: away, add: away } })
  t.match(await sink.deliver(lease(calls(2)), watchedContext()), { settlement: { delivered: 2 }, failure: null })
  t.equal(seen.memoryErrors, 3)
})

t.test('what the platform refuses becomes a dead letter, and costs no other', async t => {
  for (const status of [400, 404, 409, 422]) {
    const test = await openTestPlatform(t)
    test.sandbox.faults.set([{ kind: 'answer', status, application: 'bad', message: 'no such product' }])
    const { sink } = openSink(test)
    const { settlement, failure } = await sink.deliver(
      lease([meteredCall('a'), meteredCall('b', { application: 'bad' }), meteredCall('c')]), watchedContext()
    )
    t.equal(failure, null)
    t.match(settlement, {
      delivered: 2,
      deadLetters: [{ reason: 'refused', message: new RegExp(`HTTP ${status} .*no such product`), items: 1 }],
      remainder: []
    })
    t.match(itemsOf(settlement.deadLetters), [{ id: 'b' }])
  }
})

t.test('an unreadable line becomes a dead letter without a call', async t => {
  const test = await openTestPlatform(t)
  const { sink } = openSink(test)
  const unreadable = { line: 'not JSON', message: 'the line is not a JSON object', origin: { key: 'k', timestamp: 0 } }
  const { settlement } = await sink.deliver(lease([unreadable, meteredCall('a')]), watchedContext())
  t.match(settlement, { delivered: 1, deadLetters: [{ reason: 'refused', message: 'the line is not a JSON object' }] })
})

t.test('a failure ends the delivery, and what is not delivered is the remainder', async t => {
  const kinds = [[429, 'throttle'], [503, 'unavailable'], [401, 'denied'], [403, 'denied']] as const
  for (const [status, failureClass] of kinds) {
    const test = await openTestPlatform(t)
    test.sandbox.faults.set([{ kind: 'answer', status, retryAfterSeconds: 3 }])
    const { sink } = openSink(test, { concurrency: 1 })
    const { settlement, failure } = await sink.deliver(lease(calls(20)), watchedContext())
    t.match(failure, { class: failureClass, retryAfterMs: 3_000 })
    t.equal(test.sandbox.ledger().calls.meter, 1)
    t.equal(itemsOf(settlement.remainder).length, 20)
  }
})

t.test('a process that stops delivers no more', async t => {
  const test = await openTestPlatform(t)
  const { sink } = openSink(test)
  const controller = new AbortController()
  controller.abort()
  const { settlement, failure } = await sink.deliver(lease(calls(5)), watchedContext(controller.signal))
  t.match(failure, { class: 'unavailable' })
  t.equal(itemsOf(settlement.remainder).length, 5)
  t.notOk(test.sandbox.ledger().calls.meter)
})

t.test('whatever fails, every item of the lease is accounted for', async t => {
  const test = await openTestPlatform(t, { timeoutMs: 300 })
  const fault = fc.constantFrom(
    { kind: 'answer', status: 503, share: 0.3 } as const,
    { kind: 'answer', status: 422, share: 0.3 } as const,
    { kind: 'answer', status: 409, share: 0.3 } as const,
    { kind: 'reset', share: 0.2 } as const, { kind: 'reset', afterStore: true, share: 0.2 } as const
  )
  await fc.assert(fc.asyncProperty(fc.array(fault, { maxLength: 3 }), fc.array(fc.integer({ min: 0, max: 15 }), {
    minLength: 1, maxLength: 30
  }), fc.integer(), async (rules, ids, seed) => {
    test.sandbox.faults.set({ rules, seed })
    const items = ids.map(id => meteredCall(`${seed}-${id}`))
    const { sink } = openSink(test)
    const { settlement } = await sink.deliver(lease(items), watchedContext())
    t.equal(accountedItems(settlement), items.length)
  }), { numRuns: 25 })
})

t.test('through the spool and the forwarder each call is metered exactly once, whatever fails', async t => {
  const test = await openTestPlatform(t, { timeoutMs: 300 })
  const spool = await openSpool(t, { lingerMs: 10, limits: { ...SPOOL_OPTIONS.limits, metering: METERING_BATCH } })
  test.sandbox.faults.set([
    { kind: 'answer', status: 429, share: 0.05 },
    { kind: 'answer', status: 503, share: 0.05 },
    { kind: 'reset', share: 0.05 },
    { kind: 'reset', afterStore: true, share: 0.05 }, { kind: 'hang', afterStore: true, count: 2 }
  ])
  const all = calls(200)
  for (let index = 0; index < all.length; index += 20) {
    await spool.append({
      kind: 'metering',
      destination: DESTINATION,
      records: records([...all.slice(index, index + 20), ...all.slice(Math.max(0, index - 5), index)])
    })
  }
  for (let life = 0; life < 3; life++) {
    // each process has a memory of its own
    const { forwarder } = watchForwarder(t, spool, openSink(test).sink)
    forwarder.start()
    await until(isEmpty(spool), life < 2 ? 200 : 30_000)
    await forwarder.stop(0)
  }
  await checkBalance(t, spool, { inSpool: 0, deadLettered: 0 })
  t.equal(test.sandbox.ledger().metered, all.length)
  t.strictSame(
    new Set(test.sandbox.events().map(({ idempotencyKey }) => idempotencyKey)), new Set(all.map(({ id }) => id))
  )
})

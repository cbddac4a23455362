import t from 'tap'
import { logRecords, startCloud } from '../../helpers/delivery.js'
import {
  appendMessages, checkBalance, isEmpty, logsSink, messagesOf, named, openSpool, until, watchForwarder
} from '../../helpers/forwarder.js'

/** The failing destination fails for as long as the others need; a loaded machine may need long. */
const PATIENCE_MS = 60_000

t.test('one destination that fails does not keep 99 others waiting', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 50 })
  cloud.sandbox.faults.set([{ kind: 'error', status: 500, logGroupName: '/bad' }])
  const { forwarder, observed } = watchForwarder(t, spool, logsSink(cloud))
  await appendMessages(spool, '/bad:page', named('bad', 20))
  for (let i = 0; i < 99; i++) await appendMessages(spool, `/healthy/${i}:page`, ['healthy'])
  forwarder.start()
  await until(() => observed.delivered.length === 99, PATIENCE_MS)
  t.equal(observed.delivered.length, 99)
  await checkBalance(t, spool, { delivered: 99, inSpool: 20 })
  cloud.sandbox.faults.clear()
  await until(isEmpty(spool), PATIENCE_MS)
  t.same(messagesOf(cloud, '/bad'), named('bad', 20))
  await checkBalance(t, spool)
})

t.test('one destination that is flooded does not keep 99 others waiting', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 50 })
  const flood = (): Promise<unknown> => spool.append({
    kind: 'logs',
    destination: '/flood:page',
    records: logRecords(Array.from({ length: 20_000 }, (_, i) => [Date.now(), `flood ${i}`]))
  })
  for (let i = 0; i < 5; i++) await flood()
  for (let i = 0; i < 99; i++) await appendMessages(spool, `/healthy/${i}:page`, ['healthy'])
  const { forwarder, observed } = watchForwarder(t, spool, logsSink(cloud))
  let floodedBefore = 0
  forwarder.start()
  await until(() => {
    const healthy = observed.delivered.filter(({ destination }) => destination !== '/flood:page').length
    if (healthy < 99) floodedBefore = observed.delivered.length - healthy
    return healthy === 99
  }, PATIENCE_MS)
  t.ok(floodedBefore <= 10, `${floodedBefore} batches of the flood went before the last of the others`)
  await until(isEmpty(spool), PATIENCE_MS)
  await checkBalance(t, spool, { delivered: 100_099 })
})

t.test('deliveries that wait for their log streams keep no other waiting', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 50 })
  const sink = logsSink(cloud)
  let endWaiting = (): void => {}
  const made = new Promise<void>(resolve => { endWaiting = resolve })
  const { forwarder, observed } = watchForwarder(t, spool, {
    kind: 'logs',
    async deliver (lease, context) {
      if (!lease.destination.startsWith('/new')) return await sink.deliver(lease, context)
      context.standAside(true)
      await made
      context.standAside(false)
      return await sink.deliver(lease, context)
    }
  }, { concurrency: 2 })
  for (let i = 0; i < 5; i++) await appendMessages(spool, `/new/${i}:page`, ['waits'])
  forwarder.start()
  await appendMessages(spool, '/healthy:page', ['healthy'])
  await until(() => observed.delivered.length === 1, 10_000)
  t.same(observed.delivered.map(({ destination }) => destination), ['/healthy:page'])
  endWaiting()
  await until(isEmpty(spool))
  await checkBalance(t, spool, { delivered: 6 })
})

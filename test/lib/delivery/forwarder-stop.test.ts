import t from 'tap'
import { startCloud } from '../../helpers/delivery.js'
import { useWallClock } from '../../helpers/wall-clock.js'
import {
  appendMessages, checkBalance, isEmpty, logsSink, messagesOf, openSpool, QUICK_BACKOFF, until, watchForwarder
} from '../../helpers/forwarder.js'

const DESTINATION = '/app/web:page'

t.test('a stop delivers what still lingers', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 60_000 })
  const { forwarder } = watchForwarder(t, spool, logsSink(cloud))
  forwarder.start()
  for (let i = 0; i < 10; i++) await appendMessages(spool, `/app/${i}:page`, ['last words'])
  const stopping = forwarder.stop(10_000)
  t.equal(forwarder.stop(10_000), stopping, 'it may be stopped twice')
  await stopping
  t.equal(messagesOf(cloud).length, 10)
  await checkBalance(t, spool, { delivered: 10 })
})

t.test('a stop delivers what was stored before the clock was set back', async t => {
  const wallClock = useWallClock(t)
  const cloud = await startCloud(t, { timelySignatures: false })
  const spool = await openSpool(t, { lingerMs: 60_000 })
  const { forwarder } = watchForwarder(t, spool, logsSink(cloud))
  forwarder.start()
  for (let i = 0; i < 5; i++) await appendMessages(spool, `/app/${i}:page`, ['last words'])
  wallClock.set(-600_000)
  await forwarder.stop(10_000)
  await checkBalance(t, spool, { delivered: 5 })
})

t.test('a stop delivers what was to be tried again in a moment when the clock was set back', async t => {
  const wallClock = useWallClock(t)
  const cloud = await startCloud(t, { timelySignatures: false })
  const spool = await openSpool(t, { lingerMs: 20 })
  const { forwarder, observed } = watchForwarder(t, spool, logsSink(cloud), {
    backoff: { ...QUICK_BACKOFF, denied: { floorMs: 800, baseMs: 800, capMs: 800 } }
  })
  cloud.sandbox.faults.set([{ kind: 'refuse' }])
  forwarder.start()
  await appendMessages(spool, DESTINATION, ['last words'])
  await until(() => observed.retries.denied === 1)
  cloud.sandbox.faults.clear()
  wallClock.set(-600_000)
  await forwarder.stop(10_000)
  await checkBalance(t, spool, { delivered: 1 })
})

t.test('a stop does not wait for a destination that fails, and leaves its records', async t => {
  const cloud = await startCloud(t)
  const spool = await openSpool(t, { lingerMs: 60_000 })
  cloud.sandbox.faults.set([{ kind: 'refuse', logGroupName: '/denied' }])
  const { forwarder } = watchForwarder(t, spool, logsSink(cloud), {
    backoff: {
      retry: { floorMs: 30_000, baseMs: 30_000, capMs: 30_000 },
      denied: { floorMs: 30_000, baseMs: 30_000, capMs: 30_000 },
      conflict: { floorMs: 10, baseMs: 20, capMs: 100 }
    }
  })
  forwarder.start()
  await appendMessages(spool, '/denied:page', ['kept'])
  await appendMessages(spool, '/healthy:page', ['delivered'])
  const startedAt = Date.now()
  await forwarder.stop(25_000)
  t.ok(Date.now() - startedAt < 15_000)
  await checkBalance(t, spool, { delivered: 1, inSpool: 1 })
})

t.test('when the grace is over, what hangs is aborted and given back', async t => {
  const cloud = await startCloud(t, { requestTimeoutMs: 60_000 })
  const spool = await openSpool(t, { lingerMs: 20 })
  cloud.sandbox.faults.set([{ kind: 'hang' }])
  const { forwarder, observed } = watchForwarder(t, spool, logsSink(cloud))
  await appendMessages(spool, DESTINATION, ['kept'])
  forwarder.start()
  await until(() => cloud.sandbox.calls().length > 0 || Object.keys(cloud.sandbox.ledger().calls).length > 0)
  await forwarder.stop(200)
  await checkBalance(t, spool, { inSpool: 1 })
  t.same(observed.logged, [], 'it is no failure')

  cloud.sandbox.faults.clear()
  const next = watchForwarder(t, spool, logsSink(cloud))
  next.forwarder.start()
  await until(isEmpty(spool))
  t.same(messagesOf(cloud), ['kept'], 'the next process takes it at once')
  await checkBalance(t, spool)
})

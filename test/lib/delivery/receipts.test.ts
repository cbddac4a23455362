import t from 'tap'
import { createLocalChannel, Receipts } from '../../../lib/delivery/receipts.js'

const update = (delivered: number, requestId: string | null = 'aws', rejected: number[] = []) =>
  ({
    id: 'r',
    delivered,
    requestId,
    rejected: rejected.map(index => ({ index, reason: 'too-old' as const, message: 'm' }))
  })

t.test('a receipt is settled when every item has met its outcome', async t => {
  const receipts = new Receipts(createLocalChannel())
  const { receipt } = receipts.wait('r', 3, 5_000)
  receipts.publish(update(1, 'first'))
  receipts.publish({ ...update(1), id: 'other' })
  receipts.publish(update(1, 'second', [2]))
  t.same(await receipt, {
    settled: true,
    requestId: 'first',
    rejected: [{ index: 2, reason: 'too-old', message: 'm' }],
    rejectedCount: { 'too-old': 1 }
  })
  receipts.publish(update(1))
})

t.test('one that is not settled in time says so, with what is known', async t => {
  const receipts = new Receipts(createLocalChannel())
  const { receipt } = receipts.wait('r', 2, 30)
  const keepAlive = setTimeout(() => {}, 1_000)
  receipts.publish(update(1))
  t.match(await receipt, { settled: false, requestId: 'aws' })
  clearTimeout(keepAlive)
})

t.test('one can be cancelled', async t => {
  const receipts = new Receipts(createLocalChannel())
  const { receipt, cancel } = receipts.wait('r', 2, 5_000)
  cancel()
  t.match(await receipt, { settled: false })
})

import t from 'tap'
import { RejectedItems } from '../../../lib/intake/rejected-items.js'
import { MAX_REJECTED_ENTRIES } from '../../../schemas/intake.js'

t.test('names the items with the lowest indexes, and counts all by reason', async t => {
  const rejected = new RejectedItems()
  t.same(rejected.toJSON(), { rejected: [] })
  for (let index = 1; index < 401; index += 2) rejected.add(index, 'too-old', 'm')
  const others = new RejectedItems()
  for (let index = 0; index < 400; index += 2) others.add(index, 'too-large', 'm')
  rejected.mergeAll(others)
  rejected.merge([{ index: 5_000, reason: 'refused', message: 'm' }], { refused: 1 })
  t.equal(rejected.total, 401)
  const { rejected: entries, rejectedCount } = rejected.toJSON()
  t.same(entries.map(({ index }) => index), Array.from({ length: MAX_REJECTED_ENTRIES }, (_, index) => index))
  t.same(rejectedCount, { 'too-old': 200, 'too-large': 200, refused: 1 })
})

t.test('shortens messages', async t => {
  const rejected = new RejectedItems()
  rejected.add(0, 'invalid-item', 'x'.repeat(1_000_000))
  rejected.merge([{ index: 1, reason: 'refused', message: 'y'.repeat(1_000_000) }], { refused: 1 })
  for (const { message } of rejected.toJSON().rejected) t.equal(message.length, 256)
})

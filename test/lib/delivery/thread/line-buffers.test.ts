import t from 'tap'
import { LineBuffers } from '../../../../lib/delivery/thread/line-buffers.js'

t.test('a buffer that was given back serves the next lease it is large enough for', async t => {
  const buffers = new LineBuffers()
  const first = buffers.take(1_000)
  const second = buffers.take(1_000)
  t.not(first, second, 'two at once')
  buffers.give(first)
  t.equal(buffers.take(first.byteLength), first)
  buffers.give(second)
  const larger = buffers.take(second.byteLength + 1)
  t.ok(larger.byteLength > second.byteLength)
  buffers.give(larger)
  t.equal(buffers.take(1), larger, 'the smaller one is gone')
})

t.test('one that is larger than leases are is not kept', async t => {
  const buffers = new LineBuffers()
  const large = buffers.take(20 * 2 ** 20)
  buffers.give(large)
  t.not(buffers.take(1), large)
})

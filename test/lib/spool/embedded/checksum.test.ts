import fc from 'fast-check'
import t from 'tap'
import { describeBytes, addChecksum, removeChecksum } from '../../../../lib/spool/embedded/checksum.js'

t.test('a value comes back, and not when it or its checksum was changed', async t => {
  fc.assert(fc.property(fc.array(fc.string({
    unit: 'binary'
  })), fc.nat(), fc.integer({ min: 1, max: 255 }), (texts, at, change) => {
    const parts = texts.map(text => Buffer.from(text))
    const checked = addChecksum(parts)
    t.same(removeChecksum(checked), Buffer.concat(parts))
    t.same(addChecksum([Buffer.concat(parts)]), checked, 'however it was cut')
    checked[at % checked.length]! ^= change
    t.equal(removeChecksum(checked), null)
    t.equal(removeChecksum(checked.subarray(0, at % checked.length)), null)
  }))
})

t.test('keeps text as text, and other bytes as base64', async t => {
  t.equal(describeBytes(Buffer.from('naïve')), 'naïve')
  t.equal(describeBytes(Buffer.from([0xfe, 0, 1])), '/gAB')
})

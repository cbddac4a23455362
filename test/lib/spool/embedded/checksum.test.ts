import fc from 'fast-check'
import t from 'tap'
import { describeBytes, addChecksum, removeChecksum } from '../../../../lib/spool/embedded/checksum.js'

t.test('a sealed value comes back, and not when anything of it was changed', async t => {
  fc.assert(fc.property(fc.array(fc.string({ unit: 'binary' })), fc.nat(), fc.integer({ min: 1, max: 255 }), (texts, at, change) => {
    const parts = texts.map(text => Buffer.from(text))
    const sealed = addChecksum(parts)
    t.same(removeChecksum(sealed), Buffer.concat(parts))
    t.same(addChecksum([Buffer.concat(parts)]), sealed, 'however it was cut')
    sealed[at % sealed.length]! ^= change
    t.equal(removeChecksum(sealed), null)
    t.equal(removeChecksum(sealed.subarray(0, at % sealed.length)), null)
  }))
})

t.test('keeps text as text, and other bytes as base64', async t => {
  t.equal(describeBytes(Buffer.from('naïve')), 'naïve')
  t.equal(describeBytes(Buffer.from([0xfe, 0, 1])), '/gAB')
})

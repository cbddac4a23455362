import t from 'tap'
import { mayHoldSeveralObjects, splitObjects } from '../../../lib/metering/json-objects.js'

t.test('objects are cut whatever stands in their texts, and whatever white space between them', async t => {
  const objects = ['{}', '{"a":{"b":[{"c":1}]}}', '{"a":"}{","b":"\\"}{\\\\"}']
  for (const between of ['', ' ', '\n', '\r\n\t']) t.strictSame(splitObjects(objects.join(between)), objects)
  t.strictSame(splitObjects(' '), [])
})

t.test('what is no row of objects is not cut', async t => {
  for (const text of ['x', '{} x', '[{}]', '{', '{}}', '{"a":"x" y"}{}', '{"a":"x\n"}{"b":"y"}']) {
    t.equal(splitObjects(text), null, text)
  }
})

t.test('a text with one object holds no boundary', async t => {
  t.equal(mayHoldSeveralObjects('{"a":{"b":1}}'), false)
  t.equal(mayHoldSeveralObjects('{"a":1} {"b":1}'), true)
})

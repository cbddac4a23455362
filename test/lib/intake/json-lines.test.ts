import t from 'tap'
import { MAX_UNREADABLE_LINES, readJsonLines, UNREADABLE } from '../../../lib/intake/json-lines.js'
import { MAX_JSON_LINES } from '../../../schemas/log-lines.js'

const read = (text: string) => readJsonLines(text, JSON.parse)

t.test('a document a line, blank lines aside, whatever ends the lines', async t => {
  t.same(read('{"a":1}\n\n  \r\n[2]\r\n"three"'), [{ a: 1 }, [2], 'three'])
  t.same(read(''), [])
  t.same(read('\n\n'), [])
})

t.test('a line that cannot be read is told, and the others are read', async t => {
  t.same(read('1\n{"a":\n3\n'), [1, UNREADABLE, 3])
})

t.test('a body of rubbish is given up', async t => {
  t.same(read('x\n'.repeat(MAX_UNREADABLE_LINES)).length, MAX_UNREADABLE_LINES)
  t.throws(() => read('x\n'.repeat(MAX_UNREADABLE_LINES + 1)), { code: 120 })
  t.throws(() => read('1\n'.repeat(MAX_JSON_LINES + 1)), { code: 130 })
  t.equal(read('1\n'.repeat(MAX_JSON_LINES)).length, MAX_JSON_LINES)
})

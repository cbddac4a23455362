import t from 'tap'
import { printable, printableLines } from '../../../tools/cli/printable.js'

t.test('a terminal shows control characters and does not obey them', async t => {
  t.equal(
    printable('\u001b[2Kgone\r\n\u009b2K\u007f \u202eevil\u2066 ü 日本 🙂'),
    '\\u001b[2Kgone\\u000d\\u000a\\u009b2K\\u007f \\u202eevil\\u2066 ü 日本 🙂'
  )
  t.equal(printableLines('one\ntwo\u001b[0m'), 'one\ntwo\\u001b[0m')
})

import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import t from 'tap'
import { passLines } from '../../../lib/processes/pass-lines.js'

async function passed (chunks: Array<string | Buffer>): Promise<string[]> {
  const from = new PassThrough()
  const written: string[] = []
  passLines(from, lines => written.push(lines))
  for (const chunk of chunks) from.write(chunk)
  from.end()
  from.resume()
  await finished(from)
  await new Promise(resolve => setImmediate(resolve))
  return written
}

t.test('only whole lines are passed on, and what comes last without an end gets one', async t => {
  const bytes = Buffer.from('größe\n')
  const written = await passed(['a\nb', 'c\n', bytes.subarray(0, 3), bytes.subarray(3), 'last'])
  t.same(written, ['a\n', 'bc\n', 'größe\n', 'last\n'])
})

t.test('a line without an end takes no more memory than its limit', async t => {
  const piece = 'x'.repeat(600_000)
  t.same((await passed([piece, piece, 'y\n'])).map(lines => lines.length), [1_200_000, 2])
})

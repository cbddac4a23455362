import t from 'tap'
import { readWebConcurrency } from '../../../lib/processes/web-concurrency.js'

t.test('a number, or one for each core; what cannot be used is left to one process, which refuses it', async t => {
  t.equal(readWebConcurrency(undefined, 8), 1)
  t.equal(readWebConcurrency('', 8), 1)
  t.equal(readWebConcurrency(' 3 ', 8), 3)
  t.equal(readWebConcurrency('auto', 8), 8)
  t.equal(readWebConcurrency('auto', 1), 1)
  for (const text of ['0', '-1', 'abc', '2.5', 'NaN', 'Infinity']) t.equal(readWebConcurrency(text, 8), 1, text)
})

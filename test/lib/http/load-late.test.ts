import t from 'tap'
import { loadLate, loadWaiting } from '../../../lib/http/load-late.js'

t.test('what is needed is loaded once, by the first who needs it', async t => {
  let loads = 0
  const get = loadLate(() => ++loads)
  t.equal(loads, 0)
  t.equal(get(), 1)
  t.equal(get(), 1)
  loadWaiting()
  t.equal(loads, 1)
})

t.test('what nobody has needed is loaded when there is time', async t => {
  const loaded: string[] = []
  const one = loadLate(() => loaded.push('one'))
  loadLate(() => loaded.push('two'))
  loadWaiting()
  t.same(loaded, ['one', 'two'])
  t.equal(one(), 1)
  t.same(loaded, ['one', 'two'])
})

t.test('what cannot be loaded is tried again', async t => {
  let loads = 0
  const get = loadLate(() => {
    if (++loads === 1) throw new Error('not yet')
    return loads
  })
  t.throws(get, { message: 'not yet' })
  t.equal(get(), 2)
})

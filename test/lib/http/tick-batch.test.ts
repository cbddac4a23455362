import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { TickBatch } from '../../../lib/http/tick-batch.js'

t.test('runs what one turn has given together, in order, and later what came later', async t => {
  const endOfTurn = new TickBatch()
  const ran: string[] = []
  const run = (name: string): void => endOfTurn.run(() => { ran.push(name) })
  run('a')
  run('b')
  endOfTurn.run(() => run('after'))
  await null
  t.same(ran, [], 'not before the turn ends')
  await setImmediate()
  t.same(ran, ['a', 'b'])
  await setImmediate()
  t.same(ran, ['a', 'b', 'after'])
})

import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { Budget } from '../../../../lib/spool/redis/budget.js'
import { SpoolUnavailableError } from '../../../../lib/spool/spool.js'
import { useWallClock } from '../../../helpers/wall-clock.js'

t.test('a spool that cannot be measured is unavailable, not full', async t => {
  const budget = new Budget(100, async () => { throw new SpoolUnavailableError('Redis cannot be reached') })
  await budget.reserve(60)
  await t.rejects(budget.reserve(60), { name: 'SpoolUnavailableError', message: 'Redis cannot be reached' })
  budget.release(60)
  await budget.reserve(60)
})

t.test('a spool is full by a fresh count only', async t => {
  let stored = 90
  const budget = new Budget(100, async report => report('shard', stored))
  await t.rejects(budget.reserve(20), { name: 'SpoolFullError' })
  stored = 10
  await new Promise(resolve => setTimeout(resolve, 300))
  await budget.reserve(20)
})

t.test('a wall clock that is set back does not keep an old count in use', async t => {
  const wallClock = useWallClock(t)
  let stored = 90
  const budget = new Budget(100, async report => report('shard', stored))
  await t.rejects(budget.reserve(20), { name: 'SpoolFullError' })
  stored = 10
  wallClock.set(-3_600_000)
  await sleep(300)
  await budget.reserve(20)
})

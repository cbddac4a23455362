import t from 'tap'
import { Budget } from '../../../../lib/spool/redis/budget.js'
import { SpoolUnavailableError } from '../../../../lib/spool/spool.js'

t.test('a spool that nobody can measure is away, not full', async t => {
  const budget = new Budget(100, async () => { throw new SpoolUnavailableError('Redis cannot be reached') })
  await budget.reserve(60)
  await t.rejects(budget.reserve(60), { name: 'SpoolUnavailableError', message: 'Redis cannot be reached' })
  budget.release(60)
  await budget.reserve(60)
})

t.test('a spool is full by a fresh count only', async t => {
  let stored = 90
  const budget = new Budget(100, async heard => heard('shard', stored))
  await t.rejects(budget.reserve(20), { name: 'SpoolFullError' })
  stored = 10
  await new Promise(resolve => setTimeout(resolve, 300))
  await budget.reserve(20)
})

import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { Capacity, type CapacityOptions } from '../../../../lib/spool/redis/capacity.js'
import { SpoolUnavailableError } from '../../../../lib/spool/spool.js'
import { useWallClock } from '../../../helpers/wall-clock.js'

function capacityOf (options: Partial<CapacityOptions>): Capacity {
  return new Capacity({
    maxBytes: 100, isShared: () => false, countShards: async () => {}, countApplications: async () => {}, ...options
  })
}

t.test('a spool that cannot be measured is unavailable, not full', async t => {
  const capacity = capacityOf({
    countShards: async () => { throw new SpoolUnavailableError('Redis cannot be reached') }
  })
  await capacity.reserve(60)
  await t.rejects(capacity.reserve(60), { name: 'SpoolUnavailableError', message: 'Redis cannot be reached' })
  capacity.release(60)
  await capacity.reserve(60)
})

t.test('a spool is full by a fresh count only', async t => {
  let stored = 90
  const capacity = capacityOf({ countShards: async report => report('shard', stored) })
  await t.rejects(capacity.reserve(20), { name: 'SpoolFullError' })
  stored = 10
  await new Promise(resolve => setTimeout(resolve, 300))
  await capacity.reserve(20)
})

t.test('a wall clock that is set back does not keep an old count in use', async t => {
  const wallClock = useWallClock(t)
  let stored = 90
  const capacity = capacityOf({ countShards: async report => report('shard', stored) })
  await t.rejects(capacity.reserve(20), { name: 'SpoolFullError' })
  stored = 10
  wallClock.set(-3_600_000)
  await sleep(300)
  await capacity.reserve(20)
})

t.test('what others store for an application counts, and is asked for only when it matters', async t => {
  let stored = 50
  let asked = 0
  const capacity = capacityOf({
    isShared: () => true,
    countShards: async report => report('shard', stored),
    countApplications: async report => {
      asked++
      report('hostile', stored - 10)
      report('good', 10)
    }
  })
  await capacity.reserve(5, 'hostile')
  t.equal(asked, 0)
  capacity.release(5, 'hostile')
  stored = 70
  await sleep(300)
  await t.rejects(capacity.reserve(5, 'hostile'), { name: 'ShareFullError', application: 'hostile' })
  await capacity.reserve(5, 'good')
  await capacity.reserve(5)
  t.equal(asked, 1, 'once for a quarter of a second')
  capacity.changed('hostile', -40)
  await capacity.reserve(5, 'hostile')
})

t.test('what is stored while the applications are counted counts', async t => {
  let counted = (): void => {}
  const capacity = capacityOf({
    isShared: () => true,
    countShards: async report => report('shard', 70),
    countApplications: report => new Promise<void>(resolve => {
      counted = () => {
        report('good', 10)
        resolve()
      }
    })
  })
  const first = capacity.reserve(5, 'good')
  await sleep(1)
  capacity.changed('good', 45)
  counted()
  await t.rejects(first, { name: 'ShareFullError' })
})

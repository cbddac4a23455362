import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { GroupCommit } from '../../../lib/spool/group-commit.js'

const LIMITS = { maxOps: 3, maxWeight: 100, weigh: (op: number) => op }

t.test('operations of one turn go together, operations during a flush gather behind it', async t => {
  const groups: number[][] = []
  let running = 0
  const commits = new GroupCommit<number, string>(async group => {
    t.equal(++running, 1, 'one flush at a time')
    groups.push(group.map(({ op }) => op))
    await sleep(10)
    running--
    for (const { op, resolve } of group) resolve(`done ${op}`)
  }, LIMITS)
  const first = [commits.push(1), commits.push(2)]
  await sleep(2)
  const second = [commits.push(3), commits.push(4), commits.push(5), commits.push(6)]
  t.same(await Promise.all([...first, ...second]), [1, 2, 3, 4, 5, 6].map(op => `done ${op}`))
  t.same(groups, [[1, 2], [3, 4, 5], [6]])
  await commits.idle()
})

t.test('a flush ends with the weight that it may have, but takes at least one operation', async t => {
  const groups: number[][] = []
  const commits = new GroupCommit<number, void>(async group => {
    groups.push(group.map(({ op }) => op))
    for (const { resolve } of group) resolve()
  }, LIMITS)
  await Promise.all([1_000, 60, 60, 1].map(op => commits.push(op)))
  t.same(groups, [[1_000], [60, 60], [1]])
})

t.test('a flush that fails rejects its group and nothing else', async t => {
  const commits = new GroupCommit<number, string>(async group => {
    group[0]!.resolve('early')
    if (group.some(({ op }) => op === 13)) throw new Error('unlucky')
    for (const { resolve } of group) resolve('done')
  }, LIMITS)
  const results = await Promise.allSettled([12, 13, 14, 15].map(op => commits.push(op)))
  t.same(results.map(result => result.status === 'fulfilled' ? result.value : result.reason.message), [
    'early', 'unlucky', 'unlucky', 'early'
  ])
  await commits.idle()
  t.equal(await commits.push(1), 'early')
})

import t from 'tap'
import fc from 'fast-check'
import { DueQueue, type Due } from '../../../../lib/spool/embedded/due-queue.js'

t.test('the first member has been due longest, however members are moved', async t => {
  const moves = fc.array(fc.tuple(fc.nat(7), fc.option(fc.nat(20), { nil: null })), { maxLength: 60 })
  fc.assert(fc.property(moves, moves => {
    const queue = new DueQueue<Due>()
    const members: Due[] = Array.from({ length: 8 }, () => ({ dueAt: null, heapIndex: -1 }))
    for (const [index, dueAt] of moves) {
      queue.set(members[index]!, dueAt)
      const dues = members.map(member => member.dueAt).filter(due => due !== null)
      t.equal(queue.peek()?.dueAt ?? null, dues.length === 0 ? null : Math.min(...dues))
    }
  }), { numRuns: 200 })
})

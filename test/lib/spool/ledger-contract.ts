import t from 'tap'
import fc from 'fast-check'
import type { Lease, Spool } from '../../../lib/spool/spool.js'
import type { Kind } from '../../../schemas/kinds.js'
import { itemsOf, letter, record, spoolOptions, type OpenSpool } from './contract.js'

const RUNS = 25

/** What is known of a spool from the outside. */
interface Model {
  accepted: number
  delivered: number
  rejected: number
  deadLettered: number
  leases: Lease[]
}

type Operation = (spool: Spool, model: Model) => Promise<void>

const KIND: Kind = 'metrics'

/** Takes one of the leases out of the model. */
function pickLease (model: Model, index: number): Lease | undefined {
  return model.leases.splice(index % Math.max(1, model.leases.length), 1)[0]
}

const appending = fc.record({
  destination: fc.nat(3),
  items: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
  urgent: fc.boolean()
})
  .map(({ destination, items, urgent }): Operation => async (spool, model) => {
    await spool.append({
      kind: KIND,
      destination: `d${destination}`,
      records: items.map(count => record('r', count, count * 50)),
      urgent
    })
    model.accepted += items.reduce((sum, count) => sum + count)
  })

const taking = fc.constant<Operation>(async (spool, model) => {
  const { lease } = await spool.take(KIND)
  if (lease !== null) model.leases.push(lease)
})

const releasing = fc.record({
  index: fc.nat(9), delayMs: fc.constantFrom(0, 1, 5)
}).map(({ index, delayMs }): Operation => async (spool, model) => {
  const lease = pickLease(model, index)
  if (lease !== undefined) await spool.release(lease, delayMs)
})

const settling = fc.record({
  index: fc.nat(9),
  parts: fc.tuple(fc.nat(5), fc.nat(5), fc.nat(5), fc.nat(5)),
  delayMs: fc.constantFrom(undefined, 0, 2)
})
  .map(({ index, parts, delayMs }): Operation => async (spool, model) => {
    const lease = pickLease(model, index)
    if (lease === undefined) return
    let left = itemsOf(lease)
    const [rejected, dead, remaining] = parts.map(part => {
      const taken = Math.min(left, part)
      left -= taken
      return taken
    }) as [number, number, number, number]
    await spool.settle(lease, {
      delivered: left + (
        Math.min(itemsOf(lease), parts.reduce((sum, part) => sum + part)) - rejected - dead - remaining
      ),
      rejected: { 'too-old': rejected },
      deadLetters: dead === 0 ? [] : [{ ...letter('x'), items: dead }],
      remainder: Array.from({ length: remaining }, () => record('rest')),
      delayMs
    })
    model.delivered += itemsOf(lease) - rejected - dead - remaining
    model.rejected += rejected
    model.deadLettered += dead
  })

const redriving = fc.constant<Operation>(async (spool, model) => {
  const { deadLetters } = await spool.deadLetters.list({}, { limit: 1_000 })
  await spool.deadLetters.redrive({})
  model.deadLettered -= deadLetters.reduce((sum, { items }) => sum + items, 0)
})

const operations = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: appending },
    { weight: 4, arbitrary: taking },
    releasing,
    { weight: 2, arbitrary: settling },
    { weight: 1, arbitrary: redriving }
  ),
  { maxLength: 40 }
)

/** Whatever is done to a spool, every item is in one place. */
export function ledgerContract (open: OpenSpool): void {
  t.test('the ledger balances after any sequence of operations, and nothing is lost', async t => {
    await fc.assert(fc.asyncProperty(operations, async operations => {
      const { spool } = await open(t, spoolOptions({ lingerMs: 0 }))
      const model: Model = { accepted: 0, delivered: 0, rejected: 0, deadLettered: 0, leases: [] }
      for (const operate of operations) await operate(spool, model)
      const { accepted, delivered, rejected, deadLettered } = model
      const inSpool = accepted - delivered - rejected - deadLettered
      const ledger = await spool.ledger()
      t.match(ledger, {
        accepted,
        delivered,
        rejected: { 'too-old': rejected, 'too-new': 0, expired: 0 },
        deadLettered,
        inSpool
      })
      t.equal((await spool.depth(KIND)).items, inSpool)
      for (const lease of model.leases) await spool.settle(lease, { delivered: itemsOf(lease) })
      for (let left = await spool.depth(KIND); left.records > 0; left = await spool.depth(KIND)) {
        const { lease } = await spool.take(KIND)
        if (lease !== null) await spool.settle(lease, { delivered: itemsOf(lease) })
      }
      t.match(await spool.ledger(), { accepted, delivered: accepted - rejected - deadLettered, inSpool: 0 })
      await spool.close()
    }), { numRuns: RUNS })
  })
}

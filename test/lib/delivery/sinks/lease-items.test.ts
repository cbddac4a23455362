import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { countLogEvent, decodeRecord } from '../../../../lib/spool/record.js'
import { isStoredLogEvent, type StoredLogEvent } from '../../../../lib/items/item.js'
import { LeaseItems } from '../../../../lib/delivery/sinks/lease-items.js'
import { accountedItems, itemsOf, leaseOf, logRecords } from '../../../helpers/delivery.js'

type Fate = 'delivered' | 'rejected' | 'refused' | 'left'

t.test('whatever becomes of the items, each is accounted for once, and whoever waits is told of each once', async () => {
  const request = fc.record({
    waits: fc.boolean(),
    fates: fc.array(fc.constantFrom<Fate>('delivered', 'rejected', 'refused', 'left', 'left'), {
      minLength: 1, maxLength: 30
    })
  })
  await fc.assert(fc.asyncProperty(fc.array(request, { maxLength: 8 }), async requests => {
    const records = requests.flatMap(({ waits, fates }, r) => logRecords(
      fates.map((fate, i): StoredLogEvent => [i, `${r} ${i} ${fate}`]),
      waits ? { id: `r${r}`, indexes: fates.map((_, i) => i + 100) } : undefined
    ))
    const messages: string[] = []
    const items = await LeaseItems.open<StoredLogEvent>(leaseOf('logs', 'g:s', records), {
      isItem: isStoredLogEvent, count: countLogEvent, add: ([, message], index) => { messages[index] = message }
    })
    const fated = (fate: Fate): number[] => [...messages.keys()].filter(index => messages[index]!.endsWith(fate))
    assert.deepEqual([...messages.keys()].map(index => items.item(index)[1]), messages)
    items.deliver(fated('delivered'), 'request-id')
    for (const index of fated('rejected')) items.reject(index, 'too-old', 'old')
    for (const index of fated('refused')) items.refuse(index, 'no')
    const { settlement, receipts } = items.close(null)

    const all = requests.flatMap(({ fates }, r) => fates.map((fate, i) => `${r} ${i} ${fate}`))
    assert.equal(accountedItems(settlement), all.length)
    assert.deepEqual(
      itemsOf<StoredLogEvent>(settlement.remainder).map(([, message]) => message),
      all.filter(message => message.endsWith('left')),
      'in the order they were stored in'
    )
    assert.deepEqual(
      itemsOf<StoredLogEvent>(settlement.deadLetters).map(([, message]) => message),
      all.filter(message => message.endsWith('refused'))
    )

    requests.forEach(({ waits, fates }, r) => {
      const told = receipts.find(({ id }) => id === `r${r}`)
      const indexesOf = (...wanted: Fate[]): number[] =>
        fates.flatMap((fate, i) => wanted.includes(fate) ? [i + 100] : [])
      assert.equal(told?.delivered ?? 0, waits ? indexesOf('delivered').length : 0)
      assert.deepEqual(
        told?.rejected.map(({ index }) => index).sort((a, b) => a - b) ?? [],
        waits ? indexesOf('rejected', 'refused') : []
      )
      const stillWaits = settlement.remainder!.map(record => decodeRecord(record).receipt).filter(receipt =>
        receipt?.id === `r${r}`)
      assert.deepEqual(stillWaits.flatMap(receipt => receipt!.indexes), waits ? indexesOf('left') : [])
    })
  }), { numRuns: 200 })
})

t.test('an item cannot meet two outcomes', async t => {
  const items = await LeaseItems.open<StoredLogEvent>(leaseOf('logs', 'g:s', logRecords([[1, 'm']])), {
    isItem: isStoredLogEvent, count: countLogEvent, add: () => {}
  })
  items.deliver([0], undefined)
  t.throws(() => items.refuse(0, 'no'), /exactly one outcome/)
})

t.test('a dead letter can be appended again and has nobody waiting', async t => {
  const items = await LeaseItems.open<StoredLogEvent>(
    leaseOf('logs', 'g:s', logRecords([[1, 'good'], [2, 'bad']], { id: 'r', indexes: [0, 1] })),
    { isItem: isStoredLogEvent, count: countLogEvent, add: () => {} }
  )
  items.refuse(1, 'no')
  const [letter] = items.close(null).settlement.deadLetters!
  t.same(decodeRecord(letter!), { items: [[2, 'bad']], receipt: null })
  t.match(letter, { reason: 'refused', message: 'no', items: 1, bytes: 29 })
})

t.test('a record that holds a value of another kind is a dead letter, and the others go on', async t => {
  const [good] = logRecords([[1, 'good']])
  const alien = [
    '{"v":1,"e":[[1,2,"three"]]}', '{"v":1,"e":[{}]}', '{"v":1,"e":[null]}'
  ].map(line => ({ line, items: 1, bytes: 29 }))
  const seen: string[] = []
  const items = await LeaseItems.open<StoredLogEvent>(leaseOf('logs', 'g:s', [...alien, good!]), {
    isItem: isStoredLogEvent, count: countLogEvent, add: ([, message]) => { seen.push(message) }
  })
  t.same(seen, ['good'])
  t.match(items.close(null).settlement, {
    deadLetters: alien.map(({ line }) => ({ line, reason: 'corrupt' })), remainder: [good]
  })
})

t.test('a record of a later version stays in the spool as it is, and the others go on', async t => {
  const [good] = logRecords([[1, 'good']])
  const later = { line: '{"v":3,"z":"anything"}', items: 5, bytes: 80 }
  const items = await LeaseItems.open<StoredLogEvent>(leaseOf('logs', 'g:s', [later, good!]), {
    isItem: isStoredLogEvent, count: countLogEvent, add () {}
  })
  items.deliver([0], 'id')
  const { settlement } = items.close(null)
  t.same(settlement, { delivered: 1, rejected: {}, deadLetters: [], remainder: [], unread: [{ ...later, version: 3 }] })
})

import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeadLetter, NewDeadLetter, Spool, SpoolOptions } from '../../../lib/spool/spool.js'
import { useWallClock } from '../../helpers/wall-clock.js'
import { drain, itemsOf, letter, names, records, spoolOptions, takeSoon, type OpenSpool } from './contract.js'

/** Appends so many items to the destination and lets these letters die of them. */
async function kill (spool: Spool, destination: string, letters: NewDeadLetter[], application = 'shop'): Promise<void> {
  await spool.append({ kind: 'logs', destination, application, records: records(letters.length) })
  const lease = await takeSoon(spool)
  await spool.settle(lease, { delivered: itemsOf(lease) - letters.length, deadLetters: letters })
}

async function all (spool: Spool): Promise<DeadLetter[]> {
  return (await spool.deadLetters.list({}, { limit: 1_000 })).deadLetters
}

/** What every spool promises about its dead letters. */
export function deadLettersContract (open: OpenSpool): void {
  const prepare = async (spool: Spool): Promise<void> => {
    await kill(spool, 'a', [letter('a1'), letter('a2', 'corrupt')])
    await sleep(3)
    await kill(spool, 'b', [letter('b1')])
    await sleep(3)
    await kill(spool, 'a', [letter('a3')])
  }

  t.test('lists dead letters oldest first, page by page', async t => {
    const { spool } = await open(t, spoolOptions())
    t.same(await spool.deadLetters.list({}, { limit: 2 }), { deadLetters: [], next: null })
    await prepare(spool)
    const first = await spool.deadLetters.list({}, { limit: 3 })
    t.match(first.deadLetters, [letter('a1'), letter('a2', 'corrupt'), letter('b1')])
    t.match(first.deadLetters[0], { kind: 'logs', destination: 'a', message: 'a1 was refused' })
    t.ok(Math.abs(first.deadLetters[0]!.at - Date.now()) < 60_000)
    const second = await spool.deadLetters.list({}, { limit: 3, cursor: first.next! })
    t.match(second.deadLetters, [letter('a3')])
    t.equal(second.next, null)
    t.equal((await spool.deadLetters.list({}, { limit: 4 })).next, null, 'no empty page follows')
  })

  t.test('lists by destination, reason, kind and id', async t => {
    const { spool } = await open(t, spoolOptions())
    await prepare(spool)
    const list = async (filter: Parameters<Spool['deadLetters']['list']>[0]): Promise<string[]> => {
      const { deadLetters } = await spool.deadLetters.list(filter, { limit: 10 })
      return deadLetters.map(({ line }) => JSON.parse(line).name)
    }
    t.same(await list({ destination: 'a' }), ['a1', 'a2', 'a3'])
    t.same(await list({ destination: 'a', reason: 'refused' }), ['a1', 'a3'])
    t.same(await list({ kind: 'metrics' }), [])
    t.same(await list({ kind: 'logs', reason: 'corrupt' }), ['a2'])
    const [a1, , b1] = await all(spool)
    t.same(await list({ ids: [b1!.id, a1!.id, 'unknown', ''] }), ['a1', 'b1'])
    t.same(await list({ ids: [b1!.id], destination: 'a' }), [])
    t.same(await spool.deadLetters.get(b1!.id), b1)
    t.equal(await spool.deadLetters.get('unknown'), null)
    t.equal(await spool.deadLetters.get(''), null)
  })

  t.test('redrives a corrupt record that this process can read: an earlier version could not', async t => {
    const { spool } = await open(t, spoolOptions())
    const line = '{"v":2,"t":1795330800123,"b":{"logEvents":[{"message":"m"}]}}'
    await kill(spool, 'd', [{
      line,
      items: 1,
      bytes: 27,
      reason: 'corrupt',
      message: 'stored record has version 2, this build reads version 1'
    }])
    t.equal(await spool.deadLetters.redrive({}), 1)
    const lease = await takeSoon(spool)
    t.match(lease, { destination: 'd', records: [{ line }] })
    t.match(await spool.ledger(), { deadLettered: 0, inSpool: 1 })
  })

  t.test('redrives what is selected, but not what is corrupt', async t => {
    const { spool } = await open(t, spoolOptions())
    await prepare(spool)
    t.match(await spool.ledger(), { accepted: 4, deadLettered: 4, inSpool: 0 })
    t.equal(await spool.deadLetters.redrive({ destination: 'a' }), 2)
    t.match(await spool.ledger(), { accepted: 4, deadLettered: 2, inSpool: 2 })
    t.equal((await all(spool)).length, 2)
    const lease = await takeSoon(spool)
    t.equal(lease.destination, 'a')
    t.same(names(lease), ['a1', 'a3'])
    t.match(lease.records, [{ items: 1, bytes: 100 }, { items: 1, bytes: 100 }])
    await spool.settle(lease, { delivered: 2 })
    t.equal(await spool.deadLetters.redrive({}), 1)
    t.equal(await spool.deadLetters.redrive({}), 0)
    t.same(await drain(spool), ['b1'])
    t.match(await spool.ledger(), { accepted: 4, delivered: 3, deadLettered: 1, inSpool: 0 })
  })

  t.test('a letter is redriven once, however many ask for it', async t => {
    const { spool } = await open(t, spoolOptions())
    await prepare(spool)
    const redriven = await Promise.all(Array.from({ length: 5 }, () => spool.deadLetters.redrive({})))
    t.equal(redriven.reduce((sum, count) => sum + count), 3)
    t.same((await drain(spool)).sort(), ['a1', 'a3', 'b1'])
  })

  t.test('deleted letters stay counted as dead-lettered', async t => {
    const { spool } = await open(t, spoolOptions())
    await prepare(spool)
    t.equal(await spool.deadLetters.delete({ destination: 'a' }), 3)
    t.equal(await spool.deadLetters.delete({ destination: 'a' }), 0)
    t.match(await spool.ledger(), { accepted: 4, deadLettered: 4, evicted: 0, inSpool: 0 })
    t.match(await all(spool), [letter('b1')])
    t.same(await spool.deadLetters.size(), { count: 1, bytes: Buffer.byteLength(letter('b1').line) })
  })

  for (const [what, limits, kept] of [
    ['bytes, the oldest first', { deadLetterMaxBytes: 2 * Buffer.byteLength(letter('a1').line) }, ['b1', 'a3']],
    ['age', { deadLetterMaxAgeMs: 1 }, []]
  ] as [string, Partial<SpoolOptions>, string[]][]) {
    t.test(`evicts by ${what}`, async t => {
      const { spool, reopen } = await open(t, spoolOptions(limits))
      await prepare(spool)
      await sleep(10)
      const gone = 4 - kept.length
      t.same(await spool.deadLetters.evict(), { count: gone, items: gone })
      t.same((await all(spool)).map(({ line }) => JSON.parse(line).name), kept)
      t.same(await spool.deadLetters.evict(), { count: 0, items: 0 })
      t.match(await (await reopen()).ledger(), { deadLettered: 4, evicted: gone })
    })
  }

  t.test('those of a clock that was set back, also before a restart, come behind others and stay longer', async t => {
    const wallClock = useWallClock(t)
    const lineBytes = Buffer.byteLength(letter('a1').line)
    const { spool, reopen } = await open(t, spoolOptions({ deadLetterMaxBytes: 3 * lineBytes }))
    const namesOf = (deadLetters: DeadLetter[]): string[] => deadLetters.map(({ line }) => JSON.parse(line).name)
    await kill(spool, 'a', [letter('a1'), letter('a2')])
    wallClock.set(-3 * 3_600_000)
    await kill(spool, 'a', [letter('b1'), letter('b2')])
    const reopened = await reopen()
    wallClock.set(-3 * 3_600_000)
    await kill(reopened, 'a', [letter('c1')])
    t.same(namesOf(await all(reopened)), ['a1', 'a2', 'b1', 'b2', 'c1'])
    const first = await reopened.deadLetters.list({}, { limit: 3 })
    const rest = await reopened.deadLetters.list({}, { limit: 3, cursor: first.next! })
    t.same(namesOf(rest.deadLetters), ['b2', 'c1'], 'the pages are whole')
    t.ok(Math.abs(rest.deadLetters[1]!.at - Date.now()) < 60_000, 'its time is that of the clock')
    t.same(await reopened.deadLetters.evict(), { count: 2, items: 2 })
    t.same(namesOf(await all(reopened)), ['b1', 'b2', 'c1'])
  })

  t.test('evicts by bytes the oldest of the application that has the most, and keeps those of others', async t => {
    const lineBytes = Buffer.byteLength(letter('a1').line)
    const { spool, reopen } = await open(t, spoolOptions({ lingerMs: 0, deadLetterMaxBytes: 4 * lineBytes }))
    const names = ['g1', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6']
    for (const name of names) {
      await kill(spool, name, [letter(name)], name.startsWith('g') ? 'good' : 'hostile')
    }
    t.same(await spool.deadLetters.evict(), { count: 3, items: 3 })
    const kept = await reopen()
    t.same((await all(kept)).map(({ line }) => JSON.parse(line).name), ['g1', 'h4', 'h5', 'h6'])
    t.same(await kept.deadLetters.evict(), { count: 0, items: 0 })
  })

  t.test('evicts nothing within the limits', async t => {
    const { spool } = await open(t, spoolOptions())
    await prepare(spool)
    t.same(await spool.deadLetters.evict(), { count: 0, items: 0 })
    t.match(await spool.deadLetters.size(), { count: 4 })
  })
}

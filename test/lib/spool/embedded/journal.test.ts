import t from 'tap'
import { pbkdf2 } from 'node:crypto'
import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Journal } from '../../../../lib/spool/embedded/journal.js'

const files = (directory: string): string[] => readdirSync(directory).sort()
const recovered = (directory: string, stored = 0) => [...new Journal(directory, stored, false).recover()]
  .map(({ number, items, body, intact }) => ({ number, items, text: body.toString(), intact }))

async function written (directory: string, ...bodies: string[]): Promise<string> {
  const journal = new Journal(directory, 0, false)
  for (const body of bodies) await journal.append(Buffer.from(body), body.length)
  await journal.close(0)
  return join(directory, files(directory)[0]!)
}

t.test('gives the frames back as they were appended, with their number and items', async t => {
  const directory = t.testdir()
  await written(directory, 'a', 'größe', '')
  t.same(recovered(directory), [
    { number: 1, items: 1, text: 'a', intact: true },
    { number: 2, items: 5, text: 'größe', intact: true },
    { number: 3, items: 0, text: '', intact: true }
  ])
  t.same(recovered(directory, 2).map(({ number }) => number), [3], 'but not the frames that the tables have')
})

t.test('goes on behind the frames of earlier processes', async t => {
  const directory = t.testdir()
  await written(directory, 'a', 'b')
  const journal = new Journal(directory, 0, true)
  t.equal([...journal.recover()].length, 2)
  t.equal(await journal.append(Buffer.from('c'), 1), 3)
  await journal.close(2)
  t.same(recovered(directory, 2).map(({ text }) => text), ['c'])
  t.equal(files(directory).length, 1, 'the file whose frames the tables have is gone')
})

t.test('a frame is written at once, and by another thread while the disk is slow', async t => {
  let clock = 0
  let writeMs = 0
  const directory = t.testdir()
  const journal = new Journal(directory, 0, false, () => { clock += writeMs; return clock })
  await journal.append(Buffer.alloc(1), 1)
  const size = (): number => statSync(join(directory, files(directory)[0]!)).size
  /** Whether no turn of the event loop, and so no other thread, was needed. */
  async function isWrittenAtOnce (bytes = 10): Promise<boolean> {
    let written = false
    const before = size()
    const appended = journal.append(Buffer.alloc(bytes, 'x'), 1).then(() => { written = true })
    for (let i = 0; i < 20; i++) await null
    const atOnce = written
    await appended
    t.equal(size(), before + 24 + bytes)
    return atOnce
  }

  t.equal(await isWrittenAtOnce(), true)
  t.equal(await isWrittenAtOnce(2 ** 20 + 1), false, 'a large one would take too long')
  writeMs = 11
  await isWrittenAtOnce()
  writeMs = 0
  t.equal(await isWrittenAtOnce(), false, 'after a slow one')
  clock += 1_000
  t.equal(await isWrittenAtOnce(), true, 'and no longer')

  // What the other threads are at keeps the sync waiting.
  const busy = Array.from({ length: 4 }, () => promisify(pbkdf2)('', '', 500_000, 64, 'sha512'))
  await setTimeout(150)
  t.equal(await isWrittenAtOnce(), false, 'while the disk is being waited for')
  await Promise.all(busy)
  await journal.close(0)
  t.equal(recovered(directory).length, 7)
})

t.test('a file is removed when the tables have all of its frames, and not before', async t => {
  const directory = t.testdir()
  const journal = new Journal(directory, 0, false)
  const large = Buffer.alloc(9 * 2 ** 20, 'x')
  await journal.append(large, 1)
  await journal.append(large, 1)
  await journal.append(large, 1)
  t.equal(files(directory).length, 3)
  journal.stored(1)
  await journal.close(2)
  t.same(recovered(directory, 2).map(({ number }) => number), [3])
})

t.test('a write that did not end is not read, as no append has resolved for it', async t => {
  const directory = t.testdir()
  const file = await written(directory, 'first', 'second')
  const bytes = readFileSync(file)
  for (let length = bytes.length - 1; length > bytes.length - 24 - 'second'.length; length--) {
    writeFileSync(file, bytes.subarray(0, length))
    t.same(recovered(directory).map(({ text }) => text), ['first'])
  }
})

t.test('a damaged frame comes as such, and the frames behind it are read', async t => {
  const directory = t.testdir()
  const file = await written(directory, 'first', 'second', 'third')
  const bytes = readFileSync(file)
  const damage = (at: number) => {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 0x20
    writeFileSync(file, damaged)
    return recovered(directory)
  }
  t.same(damage(bytes.indexOf('second')), [
    { number: 1, items: 5, text: 'first', intact: true },
    { number: 2, items: 6, text: 'Second', intact: false },
    { number: 3, items: 5, text: 'third', intact: true }
  ])
  const start = 24 + 'first'.length
  for (const [what, at] of [['magic', start], ['length', start + 14]] as const) {
    const [first, hole, last] = damage(at)
    t.same([first!.text, last!.text], ['first', 'third'], what)
    t.match(hole, { items: 0, intact: false, text: /second/ }, what)
  }
})

t.test('zeros, which a power cut leaves behind, are no frame', async t => {
  const directory = t.testdir()
  const file = await written(directory, 'first')
  writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.alloc(5_000)]))
  t.same(recovered(directory).map(({ text }) => text), ['first'])
})

t.test('a disk that takes no more is an error, and the number is used again', async t => {
  const directory = t.testdir()
  symlinkSync('/dev/full', join(directory, 'journal-000000000000001'))
  const journal = new Journal(directory, 0, false)
  await t.rejects(journal.append(Buffer.from('a'), 1), /no space left/)
  t.equal(journal.last, 0)
  await journal.close(0)
})

t.test('frames that do not wait for the disk are synced soon after, and the next append throws when the disk refuses', async t => {
  const directory = t.testdir()
  // Takes every write, and cannot be synced.
  symlinkSync('/dev/null', join(directory, 'journal-000000000000001'))
  const journal = new Journal(directory, 0, false)
  t.equal(await journal.append(Buffer.from('a'), 1), 1)
  await setTimeout(300)
  await t.rejects(journal.append(Buffer.from('b'), 1), { code: 'EINVAL', syscall: 'fdatasync' })
  t.equal(await journal.append(Buffer.from('b'), 1), 2)
  await journal.close(2)
})

t.test('other files of the folder are left alone', async t => {
  const directory = t.testdir({ 'journal.txt': 'mine', 'data.mdb': 'tables' })
  await written(directory, 'a')
  t.equal(recovered(directory).length, 1)
  t.equal(files(directory).length, 3)
})

t.test('a file that was begun when its process ended does not stand in the way of the next', async t => {
  const directory = t.testdir({ 'journal-000000000000001': '', 'journal-000000000000002': 'torn' })
  const journal = new Journal(directory, 0, false)
  t.same([...journal.recover()], [])
  t.equal(await journal.append(Buffer.from('a'), 1), 1)
  journal.stored(0)
  await journal.close(0)
  t.same(recovered(directory).map(({ text }) => text), ['a'])
})

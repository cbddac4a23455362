import { open } from 'lmdb'
import t, { type Test } from 'tap'
import { spawn } from 'node:child_process'
import { randomBytes, randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, symlinkSync,
  truncateSync, writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEmbeddedSpool } from '../../../../lib/spool/embedded/embedded-spool.js'
import { toFrame } from '../../../../lib/spool/embedded/frame.js'
import { Journal } from '../../../../lib/spool/embedded/journal.js'
import { queueName } from '../../../../lib/spool/queue-name.js'
import {
  SpoolConfigurationError, SpoolFullError, type KeyedAppend, type Spool, type SpoolOptions, type SpoolRecord
} from '../../../../lib/spool/spool.js'
import { killAppender } from '../../../helpers/kill-appender.js'
import { takeLeases } from '../../../helpers/take-leases.js'
import { append, drain, itemsOf, record, spoolOptions, takeSoon } from '../contract.js'

const launch = (
  dataDir: string, options: Partial<SpoolOptions> = {}, sync: 'commit' | 'always' = 'commit'
): Promise<Spool> =>
  openEmbeddedSpool({ ...spoolOptions({ limits: LIMITS, ...options }), dataDir, sync })

const journalsOf = (dataDir: string): string[] =>
  readdirSync(dataDir).filter(name => name.startsWith('journal-')).map(name => join(dataDir, name))

const BATCH = { items: 500, bytes: 1_000_000 }
const LIMITS = { metrics: BATCH, logs: BATCH, metering: BATCH }
const KEYED = { application: 'shop', key: 'k', digest: 'digest', answer: 'first', holdMs: 10_000 }

for (const after of [1, 150, 1_000]) {
  t.test(`has all that a process acknowledged that was killed after ${after} appends`, async t => {
    const dataDir = t.testdir()
    const acknowledged = await killAppender('lmdb', dataDir, spoolOptions({ limits: LIMITS }), after)
    t.ok(acknowledged.length >= after)
    const spool = await launch(dataDir)
    t.teardown(() => spool.close())
    const { accepted, inSpool } = await spool.ledger()
    t.equal(accepted, inSpool)
    const found = await drain(spool)
    t.equal(found.length, accepted)
    const stored = new Set(found)
    t.same(
      acknowledged.filter(number => !stored.has(`${number}.0`) || !stored.has(`${number}.1`)), [], 'nothing is missing'
    )
    t.same(
      [...stored].filter(name => !stored.has(String(name).replace(/\d$/, half => half === '0' ? '1' : '0'))),
      [],
      'no append is stored by half'
    )
  })
}

t.test('a second process is refused, and told how to mend it', async t => {
  const dataDir = t.testdir()
  const first = await launch(dataDir)
  await t.rejects(launch(dataDir), {
    name: 'SpoolConfigurationError', message: new RegExp(`${dataDir} is in use .*DATA_DIR.*REDIS_URL`)
  })
  await first.close()
  const second = await launch(dataDir)
  await second.close()
})

t.test('the lock of a process that is gone is no obstacle', async t => {
  const dataDir = mkdtempSync(join(tmpdir(), 'postman-lock-'))
  t.teardown(() => rmSync(dataDir, { recursive: true }))
  const child = spawn(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(join(dataDir, 'spool.lock'))}, () => console.log('up'))`
  ])
  await once(child.stdout, 'data')
  await t.rejects(launch(dataDir), SpoolConfigurationError)
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.ok(existsSync(join(dataDir, 'spool.lock')))
  const spool = await launch(dataDir)
  await spool.close()
})

t.test('locks a directory with a long name', async t => {
  const dataDir = join(t.testdir(), 'x'.repeat(120))
  const first = await launch(dataDir)
  await t.rejects(launch(dataDir), SpoolConfigurationError)
  await first.close()
})

t.test('a directory that cannot be used stops the start with its name and the cause', async t => {
  const dataDir = t.testdir({ file: 'no directory' })
  await t.rejects(launch(join(dataDir, 'file')), {
    name: 'SpoolConfigurationError', message: /file \(DATA_DIR\): EEXIST/
  })
  await t.rejects(launch(join(dataDir, 'file', 'below')), {
    name: 'SpoolConfigurationError', message: /below \(DATA_DIR\): ENOTDIR/
  })
  if (process.getuid?.() !== 0) {
    chmodSync(dataDir, 0o500)
    await t.rejects(launch(dataDir), { name: 'SpoolConfigurationError', message: /\(DATA_DIR\): EACCES/ })
    chmodSync(dataDir, 0o700)
  }
})

for (const [what, content] of [
  ['of another kind', 'x'.repeat(20_000)],
  ['that was cut short', '\0'.repeat(100)],
  ['of zeros', '\0'.repeat(20_000)]
]) {
  t.test(`a data file ${what} stops the start`, async t => {
    const dataDir = t.testdir({ 'data.mdb': content })
    await t.rejects(launch(dataDir), {
      name: 'SpoolConfigurationError', message: new RegExp(`${dataDir}/data.mdb \\(DATA_DIR\\) is not a spool`)
    })
    await t.rejects(launch(dataDir), /is not a spool/, 'the lock was let go')
  })
}

t.test('a data file of which a part is missing stops the start', async t => {
  const { dataDir, path } = await filled(t)
  truncateSync(path, Math.floor(statSync(path).size / 3 / 4_096) * 4_096)
  await t.rejects(launch(dataDir), {
    name: 'SpoolConfigurationError', message: /data\.mdb \(DATA_DIR\) is damaged: \d+ of \d+ bytes are there/
  })
})

/** A directory with the data file of a spool that holds a record each of 200 destinations. */
async function filled (t: Test): Promise<{ dataDir: string, path: string, content: Buffer }> {
  const dataDir = t.testdir()
  const spool = await launch(dataDir)
  for (let i = 0; i < 200; i++) await append(spool, `destination ${i}`, record('a'.repeat(500)))
  await spool.close()
  const path = join(dataDir, 'data.mdb')
  return { dataDir, path, content: readFileSync(path) }
}

t.test('a data file whose head is damaged stops the start', async t => {
  const { dataDir, path, content } = await filled(t)
  const damages: Record<string, (bytes: Buffer) => void> = {
    'random bytes everywhere': bytes => { randomFillSync(bytes) },
    'zeros everywhere': bytes => { bytes.fill(0) },
    'the first page': bytes => { randomFillSync(bytes, 0, 4_096) },
    'the second page': bytes => { randomFillSync(bytes, 4_096, 4_096) },
    'zeros in the second page': bytes => { bytes.fill(0, 4_096, 8_192) },
    'what has reached the disk': bytes => { randomFillSync(bytes, 2_048, 160) },
    'the size of a page': bytes => { bytes.writeUInt32LE(3_000, 48) }
  }
  for (const [name, damage] of Object.entries(damages)) {
    const bytes = Buffer.from(content)
    damage(bytes)
    writeFileSync(path, bytes)
    await t.rejects(
      launch(dataDir),
      {
        name: 'SpoolConfigurationError',
        message: /data\.mdb \(DATA_DIR\) is not a spool, or it is damaged: move it away/
      },
      name
    )
  }
  writeFileSync(path, content)
  const spool = await launch(dataDir)
  t.equal((await spool.depth()).records, 200)
  await spool.close()
})

t.test('after a start that has ended while it opened the data file, it is read by another process first', async t => {
  const { dataDir, path, content } = await filled(t)
  const note = join(dataDir, 'opening')
  writeFileSync(note, '')
  const spool = await launch(dataDir)
  t.notOk(existsSync(note))
  await spool.close()
  writeFileSync(note, '')
  writeFileSync(path, Buffer.from(content).fill(0xff, 8_192))
  await t.rejects(launch(dataDir), {
    name: 'SpoolConfigurationError',
    message: /data\.mdb \(DATA_DIR\) is damaged: a process that reads it ends: move it away/
  })
})

t.test('nobody else may read what is stored, also of an earlier version', async t => {
  const dataDir = t.testdir({ 'journal-000000000000000': '' })
  chmodSync(dataDir, 0o755)
  const spool = await launch(dataDir)
  await append(spool, 'd', record('a'))
  const modes = Object.fromEntries(
    readdirSync(dataDir).filter(name => name !== 'spool.lock').map(name =>
      [name, statSync(join(dataDir, name)).mode & 0o777])
  )
  t.equal(statSync(dataDir).mode & 0o777, 0o700)
  t.ok(Object.keys(modes).length >= 3, Object.keys(modes).join())
  for (const [name, mode] of Object.entries(modes)) t.equal(mode, 0o600, name)
  await spool.close()
})

t.test('waits for the disk when configured so', async t => {
  const dataDir = t.testdir()
  const spool = await launch(dataDir, {}, 'always')
  await Promise.all([append(spool, 'd', record('a')), append(spool, 'd', record('b'))])
  t.same(await drain(spool), ['a', 'b'])
  await spool.close()
})

t.test('a probe writes to the disk', async t => {
  let free = 2 ** 40
  const dataDir = t.testdir()
  const spool = await openEmbeddedSpool({ ...spoolOptions(), dataDir, sync: 'commit', diskFree: () => free })
  t.teardown(() => spool.close())
  const files = readdirSync(dataDir)
  await t.resolves(spool.probe())
  t.same(readdirSync(dataDir), files)
  // Where its file should be nothing can be written.
  mkdirSync(join(dataDir, 'probe'))
  await t.rejects(spool.probe(), {
    name: 'SpoolUnavailableError', message: /cannot write to the spool in .*EISDIR.*, open/
  })
  rmdirSync(join(dataDir, 'probe'))
  free = 0
  await sleep(300)
  await t.rejects(spool.probe(), { name: 'SpoolFullError', message: /the disk under .* is full/ })
})

t.test('appends end before the disk is full, deliveries go on, and the pages that they free are used again', async t => {
  let free = 2 ** 40
  const dataDir = t.testdir()
  const spool = await openEmbeddedSpool({
    ...spoolOptions({ limits: LIMITS, maxBytes: 2 ** 40 }),
    dataDir,
    sync: 'commit',
    diskFree: () => free
  })
  t.teardown(() => spool.close())
  // Nothing that could be compressed.
  const large = { line: randomBytes(500_000).toString('hex'), items: 1, bytes: 1_000_000 }
  for (let i = 0; i < 80; i += 8) await append(spool, 'd', ...Array(8).fill(large))
  free = 60 * 2 ** 20
  await sleep(300)
  await t.rejects(append(spool, 'd', record('a')), {
    name: 'SpoolFullError', message: /the disk under .* is full but for 60 MB/
  })
  for (let left = 80; left > 0;) {
    const lease = await takeSoon(spool)
    await spool.settle(lease, { delivered: itemsOf(lease) })
    left -= itemsOf(lease)
  }
  await t.resolves(append(spool, 'd', record('a')), 'the file has room')
  free = 15 * 2 ** 20
  await sleep(300)
  await t.rejects(append(spool, 'd', record('a')), SpoolFullError)
  free = 2 ** 40
  await sleep(300)
  await t.resolves(append(spool, 'd', record('a')))
})

t.test('an entry that was damaged in the file comes back as its bytes, the other entries as they were', async t => {
  const dataDir = t.testdir()
  const spool = await launch(dataDir)
  const line = '{"message":"GET /checkout/basket 200"}'.repeat(200)
  for (const destination of ['d', 'e', 'f']) await append(spool, destination, { line, items: 3, bytes: line.length })
  await spool.close()
  const root = open({ path: dataDir, noSubdir: false })
  const entries = root.openDB('entries', { encoding: 'binary' })
  const [first, second] = Array.from(entries.getRange(), ({ key, value }) => ({ key, value: Buffer.from(value) }))
  t.ok(first!.value.length < line.length / 3, 'the values are compressed')
  await entries.put(first!.key, Buffer.from(first!.value.fill(7, first!.value.length / 2)))
  await entries.put(second!.key, second!.value.subarray(0, second!.value.length - 9))
  await root.close()
  const leases = await takeLeases(dataDir, spoolOptions({ limits: LIMITS }), 3)
  t.same(leases.map(({ items }) => items), [3, 3, 3])
  // Destinations that are due at the same millisecond are leased in no order that is promised.
  t.same(leases.flatMap(({ lines }) => lines).sort(), [
    first!.value.toString('base64'),
    second!.value.subarray(0, second!.value.length - 9).toString('base64'),
    line
  ].sort())
})

t.test('forgets destinations that are empty', async t => {
  const dataDir = t.testdir()
  const spool = await launch(dataDir)
  for (let i = 0; i < 5; i++) {
    await Promise.all(Array.from({ length: 40 }, (_, n) => append(spool, `once-${i}-${n}`, record(n))))
    await drain(spool)
  }
  await append(spool, 'last', record('a'))
  await append(spool, 'last', record('b'))
  await append(spool, 'last', record('c'))
  await spool.close()
  const { open } = await import('lmdb')
  const root = open({ path: dataDir, noSubdir: false })
  const names = Array.from(root.openDB('names', { encoding: 'string' }).getRange()).map(({ value }) => value)
  await root.close()
  t.same(names, ['["logs","last"]'])
})

/** Appends, and ends as a process that is killed does: with frames whose content the tables do not have. */
async function journaledOnly (dataDir: string, ...all: SpoolRecord[]): Promise<void> {
  const journal = new Journal(dataDir, 0, false)
  for (const each of all) {
    const { body } = toFrame([{ kind: 'logs', queue: 'd', records: [each], urgent: false }], [], LIMITS, Date.now())
    await journal.append(body, each.items)
  }
  await journal.close(0)
}

t.test('remembers an idempotency key that only the journal has', async t => {
  const dataDir = t.testdir()
  const journal = new Journal(dataDir, 0, false)
  const given = { kind: 'logs' as const, destination: 'd', application: 'shop', records: [record('a')] }
  const { body } = toFrame(
    [{ ...given, queue: queueName('d', 'shop'), urgent: false }],
    [['k', Date.now() + 60_000, 'first', 'digest', 'shop']],
    LIMITS,
    Date.now()
  )
  await journal.append(body, 1)
  await journal.close(0)
  for (let opened = 0; opened < 2; opened++) {
    const spool = await launch(dataDir)
    t.same(await spool.appendOnce([{ ...given, part: '' }], { ...KEYED, answer: 'second' }), {
      state: 'answered', answer: 'first'
    })
    t.match(await spool.ledger(), { accepted: 1, inSpool: 1 })
    await spool.close()
  }
})

t.test('forgets what an earlier version has kept for its keys', async t => {
  const dataDir = t.testdir()
  await (await launch(dataDir)).close()
  const [expired, current] = [Date.now() - 1_000, Date.now() + 60_000]
  const root = open({ path: dataDir, noSubdir: false })
  const answers = root.openDB('idempotency', { encoding: 'string' })
  const expiry = root.openDB('idempotencyExpiry', { encoding: 'string' })
  for (const [key, expiresAt] of [['gone', expired], ['k', current]] as const) {
    await answers.put(key, JSON.stringify([expiresAt, 'x'.repeat(100_000)]))
    await expiry.put([expiresAt, key], '')
  }
  await root.close()
  const spool = await launch(dataDir)
  t.teardown(() => spool.close())
  t.equal(await spool.keyBytes(), 0)
  const result = await spool.appendOnce(
    [{ kind: 'logs', destination: 'd', records: [record('a')], part: '' }], { ...KEYED, key: 'new' }
  )
  t.equal(result.state, 'stored')
  t.same(await drain(spool), ['a'])
  await spool.close()
  const left = open({ path: dataDir, noSubdir: false })
  t.same([...left.openDB('idempotency', { encoding: 'string' }).getKeys()].sort(), ['k', 'new'])
  await left.close()
})

t.test('has the records that only the journal has, once', async t => {
  const dataDir = t.testdir()
  await journaledOnly(dataDir, record('a', 2), record('b'))
  const spool = await launch(dataDir)
  t.match(await spool.ledger(), { accepted: 3, inSpool: 3 })
  await spool.close()
  t.same(journalsOf(dataDir), [], 'the tables have them now')
  const again = await launch(dataDir)
  t.same(await drain(again), ['a', 'b'])
  await again.close()
})

t.test('a frame that cannot be read becomes a dead letter with its bytes, once', async t => {
  const dataDir = t.testdir()
  await journaledOnly(dataDir, record('a', 2), record('b', 3), record('c'))
  const [file] = journalsOf(dataDir)
  const bytes = readFileSync(file!)
  bytes[bytes.indexOf('"b"') + 1]! ^= 0x20
  writeFileSync(file!, bytes)
  for (let opened = 0; opened < 2; opened++) {
    const spool = await launch(dataDir)
    t.match(await spool.ledger(), { accepted: 6, deadLettered: 3, inSpool: 3 })
    const { deadLetters } = await spool.deadLetters.list({}, { limit: 10 })
    t.match(deadLetters, [{ reason: 'corrupt', destination: 'journal', items: 3, line: /"name":"B"/ }])
    await spool.close()
  }
})

t.test('a journal that the disk does not take is a full spool, and nothing is half stored', async t => {
  const dataDir = t.testdir()
  const spool = await launch(dataDir)
  symlinkSync('/dev/full', join(dataDir, 'journal-000000000000001'))
  await t.rejects(append(spool, 'd', record('a')), { name: 'SpoolFullError', message: /takes no more: .*no space/ })
  const keyed: KeyedAppend[] = [{ kind: 'logs', destination: 'd', records: [record('b')], urgent: true, part: '' }]
  await t.rejects(spool.appendOnce(keyed, KEYED), { name: 'SpoolFullError' })
  t.match(await spool.ledger(), { accepted: 0, inSpool: 0 })
  await spool.close()
  const again = await launch(dataDir)
  t.teardown(() => again.close())
  t.match(await again.appendOnce(keyed, KEYED), { state: 'stored' })
  t.same(await drain(again), ['b'])
})

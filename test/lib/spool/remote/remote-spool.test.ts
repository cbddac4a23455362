import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { open } from 'lmdb'
import { openEmbeddedSpool, type FrameSpool } from '../../../../lib/spool/embedded/embedded-spool.js'
import { RemoteSpool } from '../../../../lib/spool/remote/remote-spool.js'
import { serveSpool } from '../../../../lib/spool/remote/serve-spool.js'
import {
  ShareFullError, SpoolFullError, SpoolUnavailableError, type KeyedRequest, type Spool, type SpoolOptions
} from '../../../../lib/spool/spool.js'
import { channelPair } from '../../../helpers/channel-pair.js'
import { append, drain, openFixture, record, spoolContract, spoolOptions, type SpoolFixture } from '../contract.js'
import { deadLettersContract } from '../dead-letters-contract.js'
import { ledgerContract } from '../ledger-contract.js'

let directories = 0

interface Opened {
  owner: FrameSpool
  /** Two processes that take requests. */
  webs: RemoteSpool[]
  /** The process of the first has gone. */
  leave (): void
}

async function openSpools (dataDir: string, options: SpoolOptions): Promise<Opened> {
  const owner = await openEmbeddedSpool({ ...options, dataDir, sync: 'commit' })
  const pairs = [channelPair(), channelPair()]
  for (const [near] of pairs) serveSpool(near, owner)
  const webs = pairs.map(([, far]) => new RemoteSpool(far, options.limits))
  return { owner, webs, leave: () => pairs[0]![0].close() }
}

/** Appends as a process that takes requests does, and leases as the process that owns the spool. */
function asOneSpool ({ owner, webs: [web] }: Opened): Spool {
  return {
    append: given => web!.append(given),
    appendOnce: (appends, request) => web!.appendOnce(appends, request),
    take: (kind, options) => owner.take(kind, options),
    extend: lease => owner.extend(lease),
    settle: (lease, settlement) => owner.settle(lease, settlement),
    release: (lease, delayMs) => owner.release(lease, delayMs),
    depth: kind => web!.depth(kind),
    ledger: () => web!.ledger(),
    keyBytes: () => web!.keyBytes(),
    deadLetters: web!.deadLetters,
    onDue: listener => owner.onDue(listener),
    unread: () => web!.unread(),
    probe: () => web!.probe(),
    async close () {
      await web!.close()
      await owner.close()
    }
  }
}

async function openSpool (t: Test, options: SpoolOptions): Promise<SpoolFixture> {
  const dataDir = join(t.testdir(), String(directories++))
  return await openFixture(t, async () => asOneSpool(await openSpools(dataDir, options)), async spool => {
    await spool.close()
    const root = open({ path: dataDir, noSubdir: false })
    const entries = root.openDB('entries', { encoding: 'binary' })
    for (const key of Array.from(entries.getKeys())) await entries.put(key, Buffer.from('[[1,\n{"v":\n'))
    await root.close()
  })
}

async function openTwo (t: Test, overrides: Partial<SpoolOptions> = {}): Promise<Opened> {
  const opened = await openSpools(join(t.testdir(), String(directories++)), spoolOptions(overrides))
  t.teardown(async () => {
    await Promise.all(opened.webs.map(web => web.close()))
    await opened.owner.close()
  })
  return opened
}

spoolContract(openSpool)
deadLettersContract(openSpool)
ledgerContract(openSpool)

t.test('the appends of two processes share leases, also after a restart', async t => {
  const { owner, webs } = await openTwo(t, { limits: spoolOptions().limits, lingerMs: 300 })
  await Promise.all(webs.flatMap((web, process) =>
    Array.from({ length: 4 }, (_, i) => append(web, 'd', record(`${process}.${i}`)))))
  t.equal((await owner.depth('logs')).records, 8)
  await new Promise(resolve => setTimeout(resolve, 350))
  const taken = await owner.take('logs')
  t.equal(taken.lease?.records.length, 8, 'in one lease')
})

t.test('frames of other processes are read back after a kill', async t => {
  const folder = t.testdir()
  const dataDir = join(folder, 'data')
  const { owner, webs } = await openSpools(dataDir, spoolOptions({ lingerMs: 600_000 }))
  await Promise.all([
    append(webs[0]!, 'a', record(1), record(2)), append(webs[1]!, 'b', record(3)), append(owner, 'a', record(4))
  ])
  // The journal alone has them: it is opened again as it is, without the tables.
  const copy = join(folder, 'copy')
  await cp(dataDir, copy, { recursive: true, filter: path => !path.endsWith('.lock') })
  await owner.close()
  const again = await openEmbeddedSpool({ ...spoolOptions({ lingerMs: 0 }), dataDir: copy, sync: 'commit' })
  t.same((await drain(again)).sort(), [1, 2, 3, 4])
  await again.close()
})

t.test('of appends that do not all fit together, those that fit are stored', async t => {
  const { owner, webs: [web] } = await openTwo(t, { maxBytes: 1_000 })
  const large = { line: 'x'.repeat(900), items: 1, bytes: 900 }
  const appends = [record('a'), large, large].map(each => append(web!, 'd', each))
  const results = await Promise.allSettled(appends)
  t.same(results.map(({ status }) => status), ['fulfilled', 'fulfilled', 'rejected'])
  t.ok((results[2] as PromiseRejectedResult).reason instanceof SpoolFullError)
  t.equal((await owner.depth('logs')).records, 2)
})

t.test('an application that holds its share is told so, and the others go on', async t => {
  const { webs: [web] } = await openTwo(t, { maxBytes: 10_000, isShared: () => true })
  const send = (application: string, length: number) => {
    const records = [{ line: 'x'.repeat(length), items: 1, bytes: length }]
    return web!.append({ kind: 'logs', destination: 'd', application, records })
  }
  await send('hostile', 6_000)
  const [good, hostile] = await Promise.allSettled([send('good', 100), send('hostile', 3_000)])
  t.equal(good.status, 'fulfilled')
  t.match((hostile as PromiseRejectedResult).reason, { name: 'ShareFullError', application: 'hostile' })
  t.ok((hostile as PromiseRejectedResult).reason instanceof ShareFullError)
})

t.test('an idempotency key holds over all processes, and is finished when its process goes', async t => {
  const { webs: [one, other], leave } = await openTwo(t)
  const request: KeyedRequest = { application: 'shop', key: 'key', digest: 'digest', answer: 'answer', holdMs: 60_000 }
  const send = (web: Spool) =>
    web.appendOnce([{ kind: 'logs', destination: 'd', records: [record('a')], part: '' }], request)
  t.equal((await send(one!)).state, 'stored')
  t.equal((await send(other!)).state, 'under-way')
  leave()
  t.same(await send(other!), { state: 'answered', answer: 'answer' })
})

t.test('nothing is stored once it is closed, and it leases nothing', async t => {
  const { webs: [web] } = await openTwo(t)
  await t.rejects(web!.take(), { message: /leased by the process that owns the spool/ })
  await web!.close()
  await t.rejects(append(web!, 'd', record('a')), SpoolUnavailableError)
})

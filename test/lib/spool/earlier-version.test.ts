import { randomUUID } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { Redis } from 'ioredis'
import type { StoredDatum, StoredLogEvent } from '../../../lib/items/item.js'
import { LeaseItems } from '../../../lib/delivery/sinks/lease-items.js'
import { openEmbeddedSpool } from '../../../lib/spool/embedded/embedded-spool.js'
import { decodeRecord } from '../../../lib/spool/record.js'
import { openRedisSpool } from '../../../lib/spool/redis/redis-spool.js'
import type { Lease, Spool } from '../../../lib/spool/spool.js'
import type { Kind } from '../../../schemas/kinds.js'
import { ROOT } from '../../../tools/shared/root.js'
import { redisUrl } from '../../helpers/app.js'
import { LOG_EVENT_BUFFERS } from '../../helpers/delivery.js'
import { SPOOL_OPTIONS } from '../../helpers/forwarder.js'
import { readDump, restoreDump } from '../../helpers/redis-dump.js'

const FIXTURE = join(ROOT, 'test/fixtures/spool-d56baef')

const SENT = JSON.parse(readFileSync(join(FIXTURE, 'sent.json'), 'utf8')) as { logs: string[], metrics: number[] }

/** Settles all that is stored as delivered. @returns its leases */
async function drain (spool: Spool, kind: Kind): Promise<Lease[]> {
  const leases: Lease[] = []
  for (;;) {
    const { lease } = await spool.take(kind, { flush: true })
    if (lease === null) break
    leases.push(lease)
    await spool.settle(lease, { delivered: lease.records.reduce((sum, { items }) => sum + items, 0) })
  }
  return leases
}

async function checkSpool (t: Test, spool: Spool): Promise<void> {
  const items = SENT.logs.length + SENT.metrics.length
  t.match(await spool.ledger(), { accepted: items, inSpool: items })
  const logs = await drain(spool, 'logs')
  const metrics = await drain(spool, 'metrics')
  t.match(await spool.ledger(), { accepted: items, delivered: items, deadLettered: 0, inSpool: 0 })

  const records = [...logs, ...metrics].flatMap(lease => lease.records)
  const forms = [
    /^\{"v":1,"e":\[\[/, /^\{"v":1,"e":\[\{/, /^\{"v":1,"t":\d+,"b":\{"logGroupName"/,
    /^\{"v":1,"t":\d+,"b":\{"params"/, /"r":"[^"]+","x":\[0,1\]\}$/
  ]
  for (const form of forms) {
    t.ok(records.some(({ line }) => form.test(line)), `a record of the form ${form.source}`)
  }
  const messages = logs.flatMap(lease => lease.records.flatMap(record =>
    decodeRecord<StoredLogEvent>(record).items.map(([, message]) => message)))
  t.same(messages.sort(), [...SENT.logs].sort())
  const values = metrics.flatMap(lease => lease.records.flatMap(record =>
    decodeRecord<StoredDatum>(record).items.map(({ Value }) => Value!)))
  t.same(values.sort((a, b) => a - b), SENT.metrics)

  for (const [name, createBuffer] of LOG_EVENT_BUFFERS) {
    const buffer = createBuffer()
    for (const lease of logs) {
      buffer.clear()
      t.same((await LeaseItems.open(lease, buffer)).close(null).settlement.deadLetters, [], name)
      t.equal(buffer.size, lease.records.reduce((sum, { items }) => sum + items, 0), name)
    }
  }
}

t.test('reads the journal and the tables of an embedded spool that an earlier version wrote', async t => {
  const dataDir = mkdtempSync(join(tmpdir(), 'postman-earlier-'))
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
  writeFileSync(join(dataDir, 'data.mdb'), gunzipSync(readFileSync(join(FIXTURE, 'data.mdb.gz'))))
  copyFileSync(join(FIXTURE, 'journal-000000000000001'), join(dataDir, 'journal-000000000000001'))
  const spool = await openEmbeddedSpool({ ...SPOOL_OPTIONS, dataDir, sync: 'commit' })
  t.teardown(() => spool.close())
  await checkSpool(t, spool)
})

t.test('reads a spool in Redis that an earlier version wrote', async t => {
  const redis = new Redis(await redisUrl(t))
  t.teardown(() => redis.disconnect())
  const prefix = `earlier-${randomUUID()}`
  await restoreDump(redis, readDump('spool-d56baef', 60_000), prefix)
  const spool = await openRedisSpool({ ...SPOOL_OPTIONS, redis, prefix, shards: 2, sync: 'commit' })
  t.teardown(() => spool.close())
  await checkSpool(t, spool)
})

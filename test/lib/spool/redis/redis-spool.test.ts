import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { Redis } from 'ioredis'
import { openRedisSpool } from '../../../../lib/spool/redis/redis-spool.js'
import type { Spool, SpoolOptions } from '../../../../lib/spool/spool.js'
import { redisUrl } from '../../../helpers/app.js'
import { spoolContract, type SpoolFixture } from '../contract.js'
import { deadLettersContract } from '../dead-letters-contract.js'
import { ledgerContract } from '../ledger-contract.js'

const redis = new Redis(await redisUrl(t))
t.teardown(() => redis.disconnect())

async function openSpool (t: Test, options: SpoolOptions, shards = 4): Promise<SpoolFixture> {
  const prefix = `spool-${randomUUID()}`
  const launch = (): Promise<Spool> => openRedisSpool({ ...options, redis, prefix, shards, sync: 'commit' })
  const fixture: SpoolFixture = {
    spool: await launch(),
    async reopen () {
      await fixture.spool.close()
      fixture.spool = await launch()
      return fixture.spool
    },
    async damage () {
      for (const key of await redis.keys(`{${prefix}:*}:q:*`)) {
        const entries = await redis.xrange(key, '-', '+')
        for (const [id] of entries) await redis.xdel(key, id)
        await redis.call('XSETID', key, '0-0')
        for (const [id, fields] of entries) await redis.xadd(key, id, ...fields.slice(0, -1), '[[1,\n{"v":\n')
      }
      return await fixture.reopen()
    }
  }
  t.teardown(() => fixture.spool.close())
  return fixture
}

spoolContract(openSpool)
deadLettersContract(openSpool)
ledgerContract(openSpool)

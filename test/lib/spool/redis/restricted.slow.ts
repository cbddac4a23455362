import t from 'tap'
import { openRedisSpool } from '../../../../lib/spool/redis/redis-spool.js'
import { connectTo, REDIS_FORMS } from '../../../helpers/redis-forms.js'
import { spoolOptions } from '../contract.js'

const redis = await connectTo(t, await REDIS_FORMS['a node that refuses INFO, WAIT and CONFIG'](t))

t.test('a server that refuses INFO is taken, and it is said once what nobody knows', async t => {
  const warnings: string[] = []
  const spool = await openRedisSpool({
    ...spoolOptions(), redis, shards: 2, sync: 'commit', onWarning: warning => warnings.push(warning)
  })
  await spool.close()
  t.match(warnings, [/REDIS_URL.*refuses INFO.*maxmemory-policy/])
})

t.test('SPOOL_SYNC=always is refused where nobody can tell whether a disk or a replica confirms', async t => {
  await t.rejects(openRedisSpool({ ...spoolOptions(), redis, shards: 2, sync: 'always' }), {
    name: 'SpoolConfigurationError', message: /SPOOL_SYNC=always.*refuses INFO.*SPOOL_SYNC=commit/
  })
})

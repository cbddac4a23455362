import { Redis } from 'ioredis'
import t from 'tap'
import { sendAll } from '../../../lib/redis/redis-client.js'
import { eventually } from '../../helpers/app.js'
import { connectTo } from '../../helpers/redis-forms.js'
import { askServer, startServer } from '../../helpers/redis-server.js'

const SLOTS = 16_384

t.test('a node in cluster mode that does not know its own address is a single node', async t => {
  const node = await startServer(t, { args: ['--cluster-enabled', 'yes'] })
  await askServer(node, async redis => {
    await redis.cluster('ADDSLOTS', ...Array.from({ length: SLOTS }, (_, slot) => slot))
    await eventually(async () => String(await redis.cluster('INFO')).includes('cluster_state:ok') ? true : undefined)
  })
  const redis = await connectTo(t, node.url)
  t.type(redis, Redis)
  t.same(await sendAll(redis, [['set', 'a', 1], ['set', 'b', 2], ['get', 'a']]), ['OK', 'OK', '1'])
})

import t from 'tap'
import { startGateway } from '../helpers/app.js'
import { startRedis } from '../../tools/shared/redis.js'

t.test('an app whose Redis is away ends like any other', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { app } = await startGateway(t, { REDIS_URL: redis.url, SHUTDOWN_GRACE_MS: '500' }, 'redis')
  await redis.kill()
  await t.resolves(app.close())
})

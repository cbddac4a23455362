import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { options } from '../../../app.js'
import { SELF_METRICS, SELF_METRICS_NAMESPACE } from '../../../schemas/self-metrics.js'
import { openApp } from '../../../tools/shared/open-app.js'
import { startRedis } from '../../../tools/shared/redis.js'
import { CLIENT_SECRET_KEY, eventually, useSandbox } from '../../helpers/app.js'

const METRICS = Object.keys(SELF_METRICS).sort()
const SPOOL_MAX_BYTES = 2_097_152

/** The app with a log of its own, which delivers to a sandbox. */
async function startLogging (t: Test, environment: Record<string, string> = {}) {
  const sandbox = await useSandbox(t)
  const dataDir = await mkdtemp(join(tmpdir(), 'postman-self-metrics-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const lines: Array<{ msg: string, failure?: string }> = []
  const app = Fastify({
    ...options,
    pluginTimeout: 60_000,
    logger: { level: 'info', stream: { write: (line: string) => { lines.push(JSON.parse(line)) } } }
  })
  await app.register(openApp, {
    environment: {
      CLIENT_SECRET_KEY,
      ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-the-tests',
      AWS_REGION: 'eu-west-1',
      DATA_DIR: dataDir,
      SHUTDOWN_GRACE_MS: '500',
      SPOOL_MAX_BYTES: String(SPOOL_MAX_BYTES),
      ...environment
    }
  })
  await app.ready()
  t.teardown(() => app.close())
  /** The last value of each metric that has come. */
  const published = () => Object.fromEntries(sandbox.series(SELF_METRICS_NAMESPACE)
    .map(({ metricName, buckets }) => [metricName, buckets.at(-1)!.values.at(-1)!]))
  return { app, sandbox, published, lines: () => lines.filter(({ msg }) => msg.includes('metrics of the gateway')) }
}

t.test('the state of the spool comes to CloudWatch when the gateway starts, and goes past the spool', async t => {
  const { app, sandbox, published, lines } = await startLogging(t, {
    SELF_METRICS: 'on', SELF_METRICS_GATEWAY: 'shop-production', FLUSH_INTERVAL_MS: '60000'
  })
  await eventually(() => sandbox.series(SELF_METRICS_NAMESPACE).length === METRICS.length ? true : undefined)
  t.same(published(), { SpoolOldestAgeSeconds: 0, SpoolUsedRatio: 0, DeadLetters: 0, Failing: 0 })
  for (const { dimensions, buckets: [bucket], metricName } of sandbox.series(SELF_METRICS_NAMESPACE)) {
    t.same(dimensions, [{ Name: 'Gateway', Value: 'shop-production' }])
    t.equal(bucket!.unit, SELF_METRICS[metricName as keyof typeof SELF_METRICS])
  }
  t.same(sandbox.ledger().calls, { PutMetricData: 1 }, 'one call for all of them')

  const line = JSON.stringify({ v: 1, e: [[1, 'm'.repeat(SPOOL_MAX_BYTES / 4)]] })
  await app.spool.append({
    kind: 'logs', destination: '/waits:s', records: [{ line, items: 1, bytes: 100 }], application: 'default'
  })
  await new Promise(resolve => setTimeout(resolve, 1_100))
  sandbox.reset()
  await app.selfMetrics.publish()
  const { SpoolOldestAgeSeconds: age, SpoolUsedRatio: ratio } = published()
  t.ok(age! >= 1 && age! < 60, `oldest ${age} s`)
  t.ok(ratio! >= 0.25 && ratio! < 0.3, `used ${ratio}`)
  t.match(await app.spool.ledger(), { accepted: 1, inSpool: 1 }, 'the metrics themselves are in no ledger')
  t.same(lines(), [])
})

t.test('a failure to publish is logged once, with what AWS says, and so is its end', async t => {
  const { app, sandbox, lines } = await startLogging(t)
  sandbox.faults.set([{
    action: 'PutMetricData', kind: 'refuse', code: 'AccessDeniedException', message: 'not authorized: PutMetricData'
  }])
  for (let call = 1; call <= 3; call++) await app.selfMetrics.publish()
  t.equal(sandbox.calls().length, 3, 'a call is not repeated')
  t.match(lines(), [{
    msg: /cannot be published \(SELF_METRICS\)/, failure: /AccessDenied.*: not authorized: PutMetricData/
  }])
  t.equal(lines().length, 1)
  t.match(await app.inject('/health/ready'), { statusCode: 200 }, 'nothing else is disturbed')
  sandbox.faults.clear()
  for (let call = 1; call <= 2; call++) await app.selfMetrics.publish()
  t.match(lines()[1], { msg: 'the metrics of the gateway itself are published again' })
  t.equal(lines().length, 2)
})

t.test('nothing is published unless it is asked for, nor by a process that only takes requests', async t => {
  for (const environment of [{}, { SELF_METRICS: 'on', FORWARDER: 'off' }] as Array<Record<string, string>>) {
    const { app, sandbox } = await startLogging(t, environment)
    // What is published at the start would have come before this.
    await app.selfMetrics.publish()
    t.equal(sandbox.calls().length, 1, JSON.stringify(environment))
  }
})

t.test('of a store that is away it says that the gateway fails, and nothing else', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { app, sandbox, published } = await startLogging(t, { REDIS_URL: redis.url, FORWARDER: 'off' })
  await redis.kill()
  await eventually(async () => {
    sandbox.reset()
    await app.selfMetrics.publish()
    return published().Failing === 1 ? true : undefined
  })
  t.same(published(), { Failing: 1 })
})

t.test('a gateway that closes does not wait for a call under way', async t => {
  const { app, sandbox, lines } = await startLogging(t, { SELF_METRICS: 'on' })
  await eventually(() => sandbox.calls().length === 1 ? true : undefined)
  sandbox.faults.set([{ action: 'PutMetricData', kind: 'hang' }])
  const publishing = app.selfMetrics.publish()
  await new Promise(resolve => setTimeout(resolve, 500))
  const startedAt = performance.now()
  await app.close()
  await publishing
  t.ok(performance.now() - startedAt < 5_000)
  t.same(lines(), [], 'the end is no failure')
})

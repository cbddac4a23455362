import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Redis } from 'ioredis'
import t from 'tap'
import type { Health, HealthDetail } from '../../../schemas/health.js'
import { BACKENDS, eventually, redisEnvironment, startGateway } from '../../helpers/app.js'
import type { Teardown } from '../../helpers/teardown.js'
import { useWallClock } from '../../helpers/wall-clock.js'
import { startRedis } from '../../../tools/shared/redis.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'
const READY_WITHIN_MS = 30_000
const HOURS_AHEAD_MS = 3 * 3_600_000
/** Readiness looks no more than twice a second. */
const PAUSE_MS = 100

async function detail (url: string): Promise<HealthDetail> {
  return await (await fetch(`${url}/admin/health`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` }
  })).json() as HealthDetail
}

/** A port on which nobody listens. */
async function closedPort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Sends log events to another address than the sandbox's, until the test ends. */
function pointLogsTo (t: Teardown, url: string): void {
  process.env.AWS_ENDPOINT_URL_CLOUDWATCH_LOGS = url
  t.teardown(() => { delete process.env.AWS_ENDPOINT_URL_CLOUDWATCH_LOGS })
}

/** The first answer of readiness that is wanted. */
async function untilReadiness (url: string, isWanted: (code: number, body: Health) => boolean) {
  return await eventually(async () => {
    const response = await fetch(`${url}/health/ready`)
    const body = await response.json() as Health
    return isWanted(response.status, body) ? { code: response.status, ...body } : undefined
  }, READY_WITHIN_MS, PAUSE_MS)
}

async function untilFailing (url: string, isWanted: (part: Health['failing'][number]) => boolean) {
  return await untilReadiness(url, (_code, { failing }) => failing.some(isWanted))
}

async function untilStatus (url: string, wanted: number) {
  const { code: _code, ...body } = await untilReadiness(url, code => code === wanted)
  return body
}

const LOGS = { logGroupName: '/web/shop', logStreamName: 's', logEvents: [{ message: 'm' }] }

t.test('what is sent to CloudWatch', async t => {
  const { url, post, token, sandbox } = await startGateway(t, { ADMIN_TOKEN })
  const authorization = `Bearer ${await token()}`
  const send = (logGroupName: string) => post('/logEvents', { ...LOGS, logGroupName }, { authorization })

  await t.test('a healthy gateway is live and ready, and asks AWS nothing', async t => {
    for (const path of ['/health/live', '/health/ready']) {
      const response = await fetch(url + path)
      t.equal(response.status, 200)
      t.same(await response.json(), { status: 'ok', failing: [] })
    }
    t.same(sandbox.ledger().calls, {})
  })

  await t.test('not ready, and says why, while AWS denies what it is sent', async t => {
    sandbox.faults.set([{
      action: 'PutLogEvents',
      kind: 'refuse',
      code: 'AccessDeniedException',
      message: 'not authorized to perform: logs:PutLogEvents'
    }])
    await send('/denied')
    t.same(
      await untilStatus(url, 503),
      { status: 'failing', failing: [{ part: 'logs', class: 'denied' }] },
      'nothing that others have written'
    )
    t.match(await detail(url), {
      status: 'failing',
      failing: [{ part: 'logs', class: 'denied', message: /denied:s.*logs:PutLogEvents/, partial: false }]
    })
    t.equal((await fetch(`${url}/health/live`)).status, 200)
  })

  await t.test('one denied destination among others is told, but does not take the gateway out of service', async t => {
    sandbox.faults.set([{
      action: 'PutLogEvents',
      logGroupName: '/denied',
      kind: 'refuse',
      code: 'AccessDeniedException',
      message: 'not authorized'
    }])
    await send('/fine')
    await eventually(() => sandbox.ledger().events === 1 ? true : undefined)
    t.match(await untilStatus(url, 200), { status: 'ok', failing: [{ part: 'logs', class: 'denied' }] })
  })
})

t.test('a process that forwards is not ready without credentials of AWS, and says what the SDK says', async t => {
  const credentials = {
    AWS_ACCESS_KEY_ID: process.env.AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: process.env.AWS_SECRET_ACCESS_KEY
  }
  const nowhere = {
    AWS_EC2_METADATA_DISABLED: 'true', AWS_SHARED_CREDENTIALS_FILE: '/nowhere', AWS_CONFIG_FILE: '/nowhere'
  }
  Object.assign(process.env, nowhere)
  t.teardown(() => {
    for (const name of Object.keys(nowhere)) delete process.env[name]
    Object.assign(process.env, credentials)
  })
  const ready = async (environment: Record<string, string>) => {
    const { url } = await startGateway(t, environment)
    for (const name of Object.keys(credentials)) delete process.env[name]
    const response = await fetch(`${url}/health/ready`)
    if (environment.FORWARDER === undefined) {
      t.match((await detail(url)).failing[0]?.message, /^CredentialsProviderError: Could not load credentials/)
    }
    return { status: response.status, body: await response.json() as object }
  }
  t.match(await ready({ ADMIN_TOKEN }), {
    status: 503, body: { status: 'failing', failing: [{ part: 'aws', class: 'credentials' }] }
  })
  t.same(
    await ready({ FORWARDER: 'off' }),
    { status: 200, body: { status: 'ok', failing: [] } },
    'web alone delivers nothing'
  )
})

for (const backend of BACKENDS) {
  t.test(`records of a later version are named, and do not take the gateway out of service, ${backend}`, async t => {
    const { app, url, post, token, sandbox } = await startGateway(t, { ADMIN_TOKEN }, backend)
    const later = { line: '{"v":3,"e":[[1,"later"]]}', items: 1, bytes: 31 }
    await app.spool.append({ kind: 'logs', destination: '/later:s', records: [later, later], urgent: true })
    t.same(await untilReadiness(url, (code, { failing }) => code !== 200 || failing.length > 0), {
      code: 200, status: 'ok', failing: [{ part: 'spool', class: 'newer-version' }]
    })
    t.match(await detail(url), { failing: [{ message: '2 records of version 3 (logs) wait for a newer gateway' }] })
    await post(
      '/logEvents',
      { logGroupName: '/later', logStreamName: 's', logEvents: [{ message: 'beside them' }] },
      { authorization: `Bearer ${await token()}` }
    )
    await eventually(() => sandbox.ledger().events === 1 ? true : undefined)
  })
}

t.test('an endpoint that nobody listens at is named before anything is sent, and so are the deliveries', async t => {
  pointLogsTo(t, `http://127.0.0.1:${await closedPort()}`)
  const { url, post, token } = await startGateway(t, { ADMIN_TOKEN })
  t.match(await untilFailing(url, ({ part }) => part === 'aws'), {
    code: 503, failing: [{ part: 'aws', class: 'unreachable' }]
  })
  await post('/logEvents', LOGS, { authorization: `Bearer ${await token()}` })
  t.match(await untilFailing(url, ({ part }) => part === 'logs'), {
    failing: [{ part: 'aws', class: 'unreachable' }, { part: 'logs', class: 'unreachable' }]
  })
  t.match(await detail(url), { failing: [{ message: /ECONNREFUSED/ }, { message: /^\/web\/shop:s: .*ECONNREFUSED/ }] })
})

t.test('an endpoint that is not AWS is named after the first deliveries, and takes the gateway out of service after some seconds', async t => {
  const server = createServer((_request, response) => {
    response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>404 Not Found</h1>')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  pointLogsTo(t, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const { url, post, token } = await startGateway(t)
  t.match(await (await fetch(`${url}/health/ready`)).json(), { failing: [] })
  await post('/logEvents', LOGS, { authorization: `Bearer ${await token()}` })
  t.match(await untilFailing(url, ({ part }) => part === 'logs'), {
    failing: [{ part: 'logs', class: 'not-the-service' }]
  })
  await untilStatus(url, 503)
})

t.test('a Region that there is not is named', async t => {
  const { url } = await startGateway(t, { AWS_REGION: 'eu-nowhere-9' })
  const { AWS_ENDPOINT_URL } = process.env
  delete process.env.AWS_ENDPOINT_URL
  t.teardown(() => { process.env.AWS_ENDPOINT_URL = AWS_ENDPOINT_URL })
  t.match(await untilFailing(url, ({ part }) => part === 'aws'), {
    code: 503, failing: [{ part: 'aws', class: /^(unreachable|timeout)$/ }]
  })
})

t.test('a Redis of its own', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { url, post, token } = await startGateway(t, { REDIS_URL: redis.url, ADMIN_TOKEN })
  const authorization = `Bearer ${await token()}`
  const client = new Redis(redis.url)
  t.teardown(() => { client.disconnect() })
  // The server is killed below.
  client.on('error', () => {})
  t.equal((await fetch(`${url}/health/ready`)).status, 200)

  await t.test('not ready while Redis takes no writes, and every item is refused', async t => {
    await client.config('SET', 'min-replicas-to-write', '1')
    t.equal((await post('/logEvents', LOGS, { authorization })).status, 503)
    t.match(await untilFailing(url, ({ part }) => part === 'spool'), {
      code: 503, status: 'failing', failing: [{ part: 'spool', class: 'read-only' }]
    })
    t.match((await detail(url)).failing[0], { message: /NOREPLICAS/ })
    await client.config('SET', 'min-replicas-to-write', '0')
    await untilStatus(url, 200)
  })

  await t.test('not ready while Redis forbids the commands of the spool alone', async t => {
    for (const command of ['evalsha', 'xadd']) {
      await client.call('ACL', 'SETUSER', 'default', `-${command}`)
      t.match(
        await untilFailing(url, ({ part }) => part === 'spool'),
        { code: 503, status: 'failing', failing: [{ part: 'spool', class: 'read-only' }] },
        command
      )
      t.equal((await post('/logEvents', LOGS, { authorization })).status, 503)
      t.match((await detail(url)).failing[0], { message: /NOPERM|can't run this command/ })
      await client.call('ACL', 'SETUSER', 'default', `+${command}`)
      await untilStatus(url, 200)
    }
  })

  await t.test('not ready while Redis is away, and ready when it is back', async t => {
    await redis.kill()
    t.match(await untilStatus(url, 503), { failing: [{ part: 'spool', class: 'unreachable' }] })
    await redis.restart()
    await untilStatus(url, 200)
  })
})

t.test('web and worker apart: the web process knows what the worker finds, and that there is none', async t => {
  const wallClock = useWallClock(t)
  wallClock.set(HOURS_AHEAD_MS)
  const environment = { ...await redisEnvironment(t), ADMIN_TOKEN }
  const worker = await startGateway(t, { ...environment, FORWARDER: 'only' })
  const web = await startGateway(t, { ...environment, FORWARDER: 'off' })
  await eventually(async () => (await detail(web.url)).failing.length === 0 ? true : undefined)
  // What they tell each other does not hang on their wall clocks.
  wallClock.set(-HOURS_AHEAD_MS)
  // The thread that delivers finds the endpoint when it makes its first call.
  for (const { sandbox } of [worker, web]) {
    sandbox.faults.set([{
      kind: 'refuse',
      code: 'UnrecognizedClientException',
      message: 'The security token included in the request is invalid.'
    }])
  }
  await web.post('/logEvents', LOGS, { authorization: `Bearer ${await web.token()}` })
  for (const url of [worker.url, web.url]) {
    t.match(await untilFailing(url, ({ part }) => part === 'logs'), {
      code: 503, status: 'failing', failing: [{ part: 'logs', class: 'credentials' }]
    })
  }
  t.match(await detail(web.url), { failing: [{ message: /security token/ }] })
  for (const { sandbox } of [worker, web]) sandbox.faults.clear()
  await worker.app.close()
  t.match(await untilFailing(web.url, ({ part }) => part === 'forwarders'), {
    code: 200, status: 'ok', failing: [{ part: 'forwarders', class: 'absent' }]
  })
})

t.test('a secret that the answer of the platform repeats is shown to nobody, and not logged', async t => {
  const key = 'key-of-the-platform'
  const server = createServer((_request, response) => {
    response.writeHead(401).end(JSON.stringify({ error: `no such key: ${key}, role arn:aws:iam::123456789012:role/x` }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  const { app, url, post, token } = await startGateway(t, {
    ADMIN_TOKEN,
    METERING: 'on',
    REVENIUM_PLATFORM_API_KEY: key,
    REVENIUM_PLATFORM_API: `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  const logged: string[] = []
  for (const level of ['warn', 'error'] as const) {
    const write = app.log[level].bind(app.log) as (...args: unknown[]) => void
    app.log[level] =
      ((...args: unknown[]) => { logged.push(JSON.stringify(args)); write(...args) }) as typeof app.log.warn
  }
  await post('/logEvents', LOGS, { authorization: `Bearer ${await token()}` })
  const ready = await untilFailing(url, ({ part }) => part === 'metering')
  t.match(ready, { code: 200, status: 'ok', failing: [{ part: 'metering', class: 'denied' }] })
  t.notMatch(JSON.stringify(ready), /role|key-of/)
  const { failing } = await detail(url)
  t.match(failing[0]?.message, /no such key: \[secret\], role arn/)
  t.ok(logged.some(line => line.includes('no such key: [secret]')))
  t.notOk(logged.some(line => line.includes(key)))
  t.equal((await fetch(`${url}/admin/health`)).status, 401)
})

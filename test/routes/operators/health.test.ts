import t from 'tap'
import { BACKENDS, eventually, startGateway } from '../../helpers/app.js'
import { startRedis } from '../../../tools/shared/redis.js'

t.test('a healthy gateway is live and ready, and asks AWS nothing', async t => {
  const { url, sandbox } = await startGateway(t)
  for (const path of ['/health/live', '/health/ready']) {
    const response = await fetch(url + path)
    t.equal(response.status, 200)
    t.same(await response.json(), { status: 'ok', failing: [] })
  }
  t.same(sandbox.ledger().calls, {})
})

t.test('not ready, and says why, while AWS denies what it is sent', async t => {
  const { url, post, token, sandbox } = await startGateway(t)
  sandbox.faults.set([{ action: 'PutLogEvents', kind: 'refuse', code: 'AccessDeniedException', message: 'not authorized to perform: logs:PutLogEvents' }])
  const body = { logGroupName: '/denied', logStreamName: 's', logEvents: [{ message: 'm' }] }
  await post('/logEvents', body, { authorization: `Bearer ${await token()}` })
  const ready = await eventually(async () => {
    const response = await fetch(`${url}/health/ready`)
    return response.status === 503 ? response : undefined
  })
  t.match(await ready.json(), { status: 'failing', failing: [{ part: 'logs', message: /denied:s.*logs:PutLogEvents/ }] })
  t.equal((await fetch(`${url}/health/live`)).status, 200)
})

t.test('not ready while Redis is away, and ready when it is back', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { url } = await startGateway(t, { REDIS_URL: redis.url })
  t.equal((await fetch(`${url}/health/ready`)).status, 200)
  await redis.kill()
  const ready = await eventually(async () => {
    const response = await fetch(`${url}/health/ready`)
    return response.status === 503 ? response : undefined
  })
  t.match(await ready.json(), { failing: [{ part: 'spool' }] })
  await redis.restart()
  await eventually(async () => (await fetch(`${url}/health/ready`)).status === 200 ? true : undefined)
})

t.test('one denied destination among others is told, but does not take the gateway out of service', async t => {
  const { url, post, token, sandbox } = await startGateway(t)
  sandbox.faults.set([{ action: 'PutLogEvents', logGroupName: '/denied', kind: 'refuse', code: 'AccessDeniedException', message: 'not authorized' }])
  const authorization = `Bearer ${await token()}`
  const send = (logGroupName: string) => post('/logEvents', { logGroupName, logStreamName: 's', logEvents: [{ message: 'm' }] }, { authorization })
  const ready = async () => {
    const response = await fetch(`${url}/health/ready`)
    return { status: response.status, body: await response.json() as { failing: unknown[] } }
  }
  await send('/denied')
  await eventually(async () => (await ready()).body.failing.length === 1 ? true : undefined)
  await send('/fine')
  await eventually(() => sandbox.ledger().events === 1 ? true : undefined)
  t.match(await eventually(async () => {
    const answer = await ready()
    return answer.status === 200 ? answer : undefined
  }), { body: { status: 'ok', failing: [{ part: 'logs', message: /denied:s/ }] } })
})

t.test('a process that forwards is not ready without credentials of AWS, and says what the SDK says', async t => {
  const credentials = { AWS_ACCESS_KEY_ID: process.env.AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: process.env.AWS_SECRET_ACCESS_KEY }
  const nowhere = { AWS_EC2_METADATA_DISABLED: 'true', AWS_SHARED_CREDENTIALS_FILE: '/nowhere', AWS_CONFIG_FILE: '/nowhere' }
  Object.assign(process.env, nowhere)
  t.teardown(() => {
    for (const name of Object.keys(nowhere)) delete process.env[name]
    Object.assign(process.env, credentials)
  })
  const ready = async (environment: Record<string, string>) => {
    const { url } = await startGateway(t, environment)
    for (const name of Object.keys(credentials)) delete process.env[name]
    const response = await fetch(`${url}/health/ready`)
    return { status: response.status, body: await response.json() as object }
  }
  t.match(await ready({}), { status: 503, body: { status: 'failing', failing: [{ part: 'aws', message: /^CredentialsProviderError: Could not load credentials/ }] } })
  t.same(await ready({ FORWARDER: 'off' }), { status: 200, body: { status: 'ok', failing: [] } }, 'web alone delivers nothing')
})

for (const backend of BACKENDS) {
  t.test(`records of a later version are named, and do not take the gateway out of service, ${backend}`, async t => {
    const { app, url, post, token, sandbox } = await startGateway(t, {}, backend)
    const later = { line: '{"v":3,"e":[[1,"later"]]}', items: 1, bytes: 31 }
    await app.spool.append({ kind: 'logs', destination: '/later:s', records: [later, later], urgent: true })
    const body = await eventually(async () => {
      const response = await fetch(`${url}/health/ready`)
      t.equal(response.status, 200)
      const answer = await response.json() as { failing: unknown[] }
      return answer.failing.length > 0 ? answer : undefined
    })
    t.same(body, { status: 'ok', failing: [{ part: 'spool', message: '2 records of version 3 (logs) wait for a newer gateway' }] })
    await post('/logEvents', { logGroupName: '/later', logStreamName: 's', logEvents: [{ message: 'beside them' }] }, { authorization: `Bearer ${await token()}` })
    await eventually(() => sandbox.ledger().events === 1 ? true : undefined)
  })
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastifyCors from '@fastify/cors'
import fastifySwagger from '@fastify/swagger'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import postman from '../../package/gateway.js'
import { startSandbox, type Sandbox } from '../../package/sandbox.js'
import { createClientToken } from '../../package/token.js'
import { eventually } from '../helpers/app.js'

const SECRET = 'client-secret-of-the-tests'
const PAGE = 'https://shop.example'

async function environment (t: Test, variables: Record<string, string> = {}): Promise<Record<string, string>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'postman-inside-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  return {
    CLIENT_SECRET_KEY: SECRET,
    ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-the-tests',
    AWS_REGION: 'us-east-1',
    DATA_DIR: dataDir,
    FLUSH_INTERVAL_MS: '50',
    MAX_EVENT_LOOP_DELAY_MS: '0',
    ...variables
  }
}

/** Points the SDK of this process at a sandbox for the time of the test. */
async function sandboxFor (t: Test): Promise<Sandbox> {
  const sandbox = await startSandbox()
  const before = Object.keys(sandbox.environment).map(name => [name, process.env[name]] as const)
  Object.assign(process.env, sandbox.environment)
  t.teardown(async () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    await sandbox.stop()
  })
  return sandbox
}

/** An app with decorators, hooks, CORS and a document of its own. */
function createHost (t: Test, output: string[]): FastifyInstance {
  const host = Fastify({
    pluginTimeout: 60_000,
    bodyLimit: 100,
    logger: { level: 'trace', stream: { write: (line: string) => { output.push(line) } } }
  })
  t.teardown(() => host.close())
  const decorate = host.decorate.bind(host) as (name: string, value: unknown) => void
  for (const name of ['config', 'redis', 'aws', 'spool', 'metrics']) decorate(name, 'of the host')
  host.decorateRequest('address', 'of the host')
  host.register(fastifyCors, { origin: 'https://host.example' })
  host.register(fastifySwagger, { openapi: { info: { title: 'host', version: '1' } } })
  host.setErrorHandler((_error, _request, reply) => { reply.code(418).send({ host: true }) })
  host.setNotFoundHandler((_request, reply) => { reply.code(404).send({ host: true }) })
  host.register(async routes => {
    const params = { type: 'object', properties: { n: { type: 'integer' } } }
    routes.get('/own/:n', { schema: { params } }, async ({ params }) => params)
  })
  return host
}

t.test('inside another app, twice, each under its prefix', async t => {
  const sandbox = await sandboxFor(t)
  const output: string[] = []
  const host = createHost(t, output)
  host.register(postman, { prefix: '/telemetry', environment: await environment(t) })
  host.register(postman, {
    prefix: '/of/:tenant',
    environment: await environment(t, { CORS_ALLOWED_ORIGIN: PAGE, TRUST_PROXY: '1', FORWARDER: 'off' }),
    documentation: false
  })
  const url = await host.listen({ port: 0, host: '127.0.0.1' })
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) => fetch(url + path, {
    method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body)
  })
  const clientToken = createClientToken({ secret: SECRET })
  const { accessToken } = await (await post('/telemetry/token', { clientToken })).json() as { accessToken: string }

  t.test('takes a token, a metric and a log event, and delivers them', async t => {
    const params = { Namespace: 'inside', MetricData: [{ MetricName: 'm', Value: 1, Unit: 'Count' }] }
    t.equal((await post(`/telemetry/metric?accessToken=${accessToken}`, { params })).status, 201)
    const answer = await post('/telemetry/logEvents', {
      logGroupName: '/inside', logStreamName: 's', logEvents: [{ message: 'a'.repeat(1_000) }]
    }, { authorization: `Bearer ${accessToken}`, origin: PAGE })
    t.equal(answer.status, 201, 'with a body above the limit of the app around')
    t.equal(answer.headers.get('access-control-allow-origin'), '*', 'the CORS headers are its own')
    await eventually(() => sandbox.metrics('inside').length === 1 && sandbox.logEvents('/inside').length === 1
      ? true
      : undefined)
    t.equal((await fetch(`${url}/telemetry/health/ready`)).status, 200)
  })

  t.test('answers in its own way, and the app around in its own', async t => {
    const refused = await post('/telemetry/token', { clientToken: 5 })
    t.equal(refused.status, 401, 'a number does not become a string')
    const unknown = await fetch(`${url}/telemetry/nothing`)
    t.equal(unknown.status, 404)
    t.match(await unknown.json(), { error: { code: Number } })
    t.match(await (await fetch(`${url}/nothing`)).json(), { host: true })
    t.match(await (await fetch(`${url}/own/5`)).json(), { n: 5 }, 'which coerces as before')
    t.match(await (await post('/own/5', {})).json(), { host: true })
    t.equal((await host.inject({ url: '/telemetry/health/live' })).statusCode, 200, 'also when it is injected')
    const injected = await host.inject({ method: 'POST', url: '/telemetry/token', payload: { clientToken } })
    t.equal(injected.statusCode, 201)
    t.match(injected.json(), { accessToken: String })
  })

  t.test('its documentation is under the prefix, and switched off under the other', async t => {
    for (const path of ['/documentation', '/documentation/', '/documentation/json', '/openapi.json']) {
      t.equal((await fetch(`${url}/telemetry${path}`)).status, 200, path)
      t.equal((await fetch(`${url}/of/blue${path}`)).status, 404, path)
    }
    const document = await (await fetch(`${url}/telemetry/documentation/json`)).json() as {
      servers: Array<{ url: string }>, paths: object
    }
    t.ok('/token' in document.paths)
    t.equal(new URL(document.servers[0]!.url, `${url}/telemetry/documentation/json`).pathname, '/telemetry/')
    t.same(Object.keys((host as unknown as { swagger: () => { paths: object } }).swagger().paths), ['/own/{n}'])
  })

  t.test('another one has a configuration of its own, under a prefix with a parameter', async t => {
    const answer = await post('/of/blue/token?x=/', { clientToken }, { origin: PAGE })
    t.equal(answer.status, 201)
    t.equal(answer.headers.get('access-control-allow-origin'), PAGE)
    t.equal((await post('/of/blue/token', { clientToken }, { origin: 'https://host.example' })).status, 403)
  })

  t.test('the log of the app around shows no token', async t => {
    t.match(output.join(''), /"url":"\/own\/5"/, 'it shows URLs')
    for (const secret of [accessToken, clientToken, SECRET]) t.notOk(output.join('').includes(secret))
  })
})

t.test('two gateways of one prefix, or of one folder, are refused with a reason', async t => {
  const createApp = () => {
    const app = Fastify({ pluginTimeout: 60_000 })
    t.teardown(() => app.close())
    return app
  }
  const [one, other] = [await environment(t, { FORWARDER: 'off' }), await environment(t, { FORWARDER: 'off' })]
  const host = createApp()
  await host.register(postman, { prefix: '/one', environment: one })
  await t.rejects(async () => await host.register(postman, { prefix: '/one', environment: other }), {
    code: 'FST_ERR_DUPLICATED_ROUTE', message: /already declared for route '\/one\/\*'/
  })
  await t.rejects(async () => await createApp().register(postman, { prefix: '/one', environment: one }), {
    name: 'ConfigurationError', message: /the spool in .* is in use by another process or gateway: .*DATA_DIR/
  })
})

t.test('a wrong configuration rejects with the message that names the variable', async t => {
  const host = Fastify()
  t.teardown(() => host.close())
  host.register(postman, { prefix: '/t', environment: await environment(t, { AWS_REGION: '' }) })
  await t.rejects(async () => await host.ready(), { name: 'ConfigurationError', message: /AWS_REGION is missing/ })
})

import { mkdtemp, rm } from 'node:fs/promises'
import { get, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { Writable } from 'node:stream'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import t from 'tap'
import { options } from '../../app.js'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { eventually, startGateway, useSandbox, type Gateway } from '../helpers/app.js'
import { openApp } from '../../tools/shared/open-app.js'
import { askRaw } from '../helpers/raw.js'

const FORGED = '\r\n{"level":30,"msg":"forged line"}\r\n\u2028\u0000\u001b[31m'

let shared: Promise<Gateway> | undefined
/** The gateway of the tests that need no other; closed with this file. */
function openShared (): Promise<Gateway> {
  shared ??= startGateway(t, { FORWARDER: 'off' })
  return shared
}

t.test('no input forges a line of the log', async t => {
  const lines: string[] = []
  let rest = ''
  const stream = new Writable({
    write (chunk: Buffer, _encoding, done) {
      const parts = (rest + chunk.toString()).split('\n')
      rest = parts.pop()!
      lines.push(...parts)
      done()
    }
  })
  const sandbox = await useSandbox(t)
  const dataDir = await mkdtemp(join(tmpdir(), 'postman-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const instance = Fastify({ ...options, logger: { level: 'trace', stream } })
  await instance.register(openApp, {
    environment: {
      CLIENT_SECRET_KEY: 'client-secret-of-this-test',
      ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-this-test',
      AWS_REGION: 'eu-west-1',
      DATA_DIR: dataDir,
      FLUSH_INTERVAL_MS: '50'
    }
  })
  const url = await instance.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => instance.close())
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(url + path, {
      method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body)
    })
  const { accessToken } = await (await post('/token', {
    clientToken: createClientToken('c', Date.now(), 's')
  })).json() as { accessToken: string }
  const authorization = `Bearer ${accessToken}`

  // CloudWatch's own words, which are logged, hold what the client sent.
  sandbox.faults.set([{
    action: 'PutLogEvents',
    kind: 'refuse',
    code: 'InvalidParameterException',
    message: `refused: ${FORGED}`,
    messageIncludes: 'poison'
  }])
  await post(
    '/logEvents',
    {
      logGroupName: '/h', logStreamName: `s${FORGED}`, logEvents: [{ message: `poison ${FORGED}` }, { message: FORGED }]
    },
    { authorization }
  )
  await post(
    '/logEvents', { logGroupName: FORGED, logStreamName: FORGED, [FORGED]: 1, logEvents: [] }, { authorization }
  )
  await post(
    '/metric', { params: { Namespace: FORGED, MetricData: [{ MetricName: FORGED, Value: 1 }] } }, { authorization }
  )
  await post('/logEvents', {}, { authorization: `Bearer ${encodeURIComponent(FORGED)}` })
  await post(`/${encodeURIComponent(FORGED)}?accessToken=${encodeURIComponent(FORGED)}`, {})
  await fetch(`${url}/health/live`, {
    headers: { 'user-agent': 'a\u00a0{"level":30,"msg":"forged line"}', 'x-request-id': '"},{"msg":"forged line"}' }
  })
  t.equal(
    (await askRaw(url, 'GET /health/live HTTP/1.1\r\nHost: x\r\nX-A: a\r\n folded\r\n\r\n')).status,
    400,
    'a folded header'
  )
  t.equal((await askRaw(url, 'GET /health\n{"msg":"forged line"} HTTP/1.1\r\nHost: x\r\n\r\n')).status, 400)
  instance.log.error({ err: new Error(FORGED), value: FORGED }, FORGED)
  await eventually(() => lines.some(line => line.includes('forged line')) ? true : undefined)
  await new Promise(resolve => setTimeout(resolve, 300))

  for (const line of lines) {
    const entry = JSON.parse(line) as { level: number, pid: number, msg?: string }
    t.equal(entry.pid, process.pid)
    t.not(entry.msg, 'forged line')
    t.notMatch(line, accessToken, 'no token is logged')
  }
})

t.test('no input splits an answer, or pollutes a prototype', async t => {
  const { url, post, token } = await openShared()
  const authorization = `Bearer ${await token()}`
  const answer = await post('/logEvents', { logGroupName: '/h', logStreamName: 's', logEvents: [{ message: 'm' }] }, {
    authorization, 'idempotency-key': 'k; Set-Cookie: a=b'
  })
  t.equal(answer.headers.get('set-cookie'), null)
  const split = await fetch(`${url}/metric%0d%0aSet-Cookie:%20a=b?x=%0d%0aSet-Cookie:%20a=b`, { method: 'PUT' })
  t.equal(split.headers.get('set-cookie'), null)

  const polluted = [
    '{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}',
    '{"logGroupName":"/h","logStreamName":"s","logEvents":[{"message":"m","__proto__":{"polluted":1}}]}'
  ]
  for (const body of polluted) {
    for (const type of ['application/json', 'text/plain']) {
      const refused = await post('/logEvents', body, { authorization, 'content-type': type })
      t.equal(refused.status, 400)
      t.match(await refused.json(), { error: { code: 120 } })
    }
    t.equal((await post('/logEvents', body, { authorization, 'content-type': 'application/x-ndjson' })).status, 400)
  }
  for (const query of [
    '__proto__[polluted]=1', '__proto__=1', 'constructor.prototype.polluted=1', 'accessToken[__proto__]=1'
  ]) {
    await fetch(`${url}/health/live?${query}`)
  }
  t.equal(({} as { polluted?: number }).polluted, undefined)
})

t.test('the documentation is answered like anything else', async t => {
  const { url } = await openShared()
  const [page, again] = await Promise.all(
    ['/documentation/json', '/documentation/json'].map(async path => await (await fetch(url + path)).text())
  )
  t.equal(page, again)
  t.match(JSON.parse(page!), { openapi: '3.1.0', paths: { '/logEvents': {} } })
  t.notOk(
    Object.keys(JSON.parse(page!).paths).some(path => path.startsWith('/documentation')), 'it does not speak of itself'
  )

  const head = await fetch(`${url}/documentation/json`, { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(Number(head.headers.get('content-length')), Buffer.byteLength(page!))
  const unknown = await fetch(`${url}/documentation/nothing`)
  t.equal(unknown.status, 404)
  t.same(await unknown.json(), await (await fetch(`${url}/nothing`)).json())
  const ask = async (path: string, headers: OutgoingHttpHeaders): Promise<IncomingMessage> =>
    await new Promise(resolve => get(url + path, { headers }, answer => resolve(answer.resume())))
  const style = await ask('/documentation/static/swagger-ui.css', {})
  t.equal((await ask('/documentation/static/swagger-ui.css', { 'if-none-match': style.headers.etag })).statusCode, 304)
  const closing = await ask('/documentation/json', { connection: 'close' })
  t.equal(closing.headers.connection, 'close')
})

t.test('the documentation is guarded by helmet, the rest by what matters to an API', async t => {
  const { url } = await openShared()
  for (const path of ['/documentation', '/documentation/static/swagger-ui.css']) {
    const { status, headers } = await fetch(url + path)
    t.equal(status, 200)
    t.match(
      headers.get('content-security-policy'), /default-src 'none';.*frame-ancestors 'none';.*script-src 'self'(;|$)/
    )
    t.equal(headers.get('x-content-type-options'), 'nosniff')
    t.equal(headers.get('x-frame-options'), 'SAMEORIGIN')
    t.equal(headers.get('referrer-policy'), 'no-referrer')
  }
  const { headers } = await fetch(`${url}/health/live`)
  t.equal(headers.get('x-content-type-options'), 'nosniff')
  t.equal(headers.get('cross-origin-resource-policy'), 'cross-origin')
  t.equal(headers.get('x-powered-by'), null)
  t.equal(headers.get('server'), null)
})

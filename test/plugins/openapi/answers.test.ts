import { randomUUID } from 'node:crypto'
import { createServer } from 'node:net'
import t from 'tap'
import { createClientToken } from '../../../lib/access/legacy-client-token.js'
import { RESPONSE_HEADERS } from '../../../schemas/response-headers.js'
import { operationsOf, readDocument } from '../../../tools/fuzz/document.js'
import { createClient } from '../../../tools/fuzz/fuzz-client.js'
import { createJudge } from '../../../tools/fuzz/judge.js'
import { startGateway } from '../../helpers/app.js'
import { applicationsFile, secretOf } from '../../helpers/applications.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'
const METERING_ACCESS_KEY = 'access-key-of-the-tests'
const RATE_LIMIT = 60

const document = readDocument()
const operations = operationsOf(document)

/** An address where nobody answers. */
async function closedUrl (): Promise<string> {
  const server = createServer()
  const { port } = await new Promise<{ port: number }>(resolve => {
    server.listen(0, '127.0.0.1', () => resolve(server.address() as { port: number }))
  })
  await new Promise(resolve => server.close(resolve))
  return `http://127.0.0.1:${port}`
}

t.test('examples of requests are taken, and answers have no header that the document does not foresee', async t => {
  const { path: APPS_FILE } = await applicationsFile(t, [{
    id: 'shop', namespaces: ['*'], logGroups: ['*'], budgets: { soft: 0.01, daily: { items: 100 } }
  }])
  const { url } = await startGateway(t, {
    APPS_FILE,
    ADMIN_TOKEN,
    METERING_ACCESS_KEY,
    REVENIUM_PLATFORM_API: await closedUrl(),
    REVENIUM_PLATFORM_API_KEY: 'unused',
    AUTHORIZE_ROUTE: 'on',
    RATE_LIMIT_PER_MINUTE: String(RATE_LIMIT)
  })
  const client = createClient(url, 1)
  t.teardown(() => client.close())
  const judge = createJudge(document, operations)
  const seen = new Set<string>()

  async function send (
    method: string, path: string, body?: unknown, headers: Record<string, string> = {}
  ): Promise<{ status: number, body: string }> {
    const bytes = body === undefined ? null : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
    const request = {
      method,
      path,
      headers: {
        ...(bytes !== null && { 'content-type': 'application/json', 'content-length': String(bytes.length) }),
        ...headers
      },
      body: bytes
    }
    const answer = (await client.send(request))!
    if (answer.status < 500) t.equal(judge.fault(request, answer), null, `${method} ${path} ${answer.status}`)
    for (const name of Object.keys(answer.headers)) seen.add(name)
    return answer
  }

  const { body } = await send('POST', '/token', {
    clientToken: createClientToken(secretOf('shop'), Date.now(), randomUUID())
  })
  const { accessToken } = JSON.parse(body) as { accessToken: string }
  const CREDENTIALS: Record<string, Record<string, string>> = {
    accessToken: { authorization: `Bearer ${accessToken}` },
    adminToken: { authorization: `Bearer ${ADMIN_TOKEN}` },
    meteringAccessKey: { authorization: `Bearer ${METERING_ACCESS_KEY}` },
    firehoseAccessKey: {
      'x-amz-firehose-access-key': METERING_ACCESS_KEY,
      'x-amz-firehose-request-id': 'ed4acda5-034f-9f42-bba1-f29aea6d7d8f'
    }
  }
  async function sendExamples (of: typeof operations): Promise<void> {
    for (const { method, path, bodies, security } of of) {
      const { $ref } = bodies['application/json'] ?? {}
      // The example of a client token has no gateway that it is made for.
      if ($ref === undefined || path === '/token') continue
      for (const example of document.components.schemas[$ref.split('/').at(-1)!]!.examples!) {
        const { status } = await send(method, path, example, CREDENTIALS[security[0]!])
        t.ok(status === 200 || status === 201, `${method} ${path} ${status}`)
      }
    }
  }
  const isForOperators = ({ path }: { path: string }): boolean => path.startsWith('/admin')
  await sendExamples(operations.filter(operation => !isForOperators(operation)))
  const { accessToken: authorized } = CREDENTIALS as { accessToken: Record<string, string> }
  const lines = document.paths['/logEvents']!.post!.requestBody!.content['application/x-ndjson']!.example
  t.match(
    await send('POST', '/logEvents?logGroupName=/web/shop&logStreamName=browser', lines, {
      ...authorized, 'content-type': 'application/x-ndjson'
    }),
    { status: 201, body: '"accepted":2' }
  )

  const metric = { params: { Namespace: 'shop', MetricData: [{ MetricName: 'PageLoad', Value: 1 }] } }
  const keyed = { ...authorized, 'idempotency-key': 'of-this-test', prefer: 'wait=20' }
  for (let i = 0; i < 2; i++) t.equal((await send('POST', '/metric', metric, keyed)).status, 201)
  t.equal((await send('POST', '/metric', metric, { ...authorized, 'content-encoding': 'compress' })).status, 415)
  t.equal((await send('GET', '/authorize')).status, 403)
  // One of these examples revokes the access token.
  await sendExamples(operations.filter(isForOperators))
  let status = 0
  for (let i = 0; i < RATE_LIMIT && status !== 429; i++) status = (await send('POST', '/token', {})).status
  t.equal(status, 429)
  t.same(Object.keys(RESPONSE_HEADERS).filter(name => !seen.has(name.toLowerCase())), [], 'each was met')
})

import t from 'tap'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { CLIENT_SECRET_KEY, startGateway } from '../helpers/app.js'

const logs = { logGroupName: '/p', logStreamName: 's', logEvents: [{ message: 'm' }] }
const metric = { params: { Namespace: 'p', MetricData: [{ MetricName: 'm', Value: 1 }] } }
const ADMIN_TOKEN = 'admin-token-of-the-tests'

t.test('ROUTE_PREFIX moves the public routes, and no others', async t => {
  const { app, url, post } = await startGateway(t, { FORWARDER: 'off', ROUTE_PREFIX: '/a1/b-2', ADMIN_TOKEN })
  const answer = await post('/a1/b-2/token', { clientToken: createClientToken(CLIENT_SECRET_KEY, Date.now(), 'salt') })
  t.equal(answer.status, 201)
  const authorization = `Bearer ${(await answer.json() as { accessToken: string }).accessToken}`
  for (const [path, body] of [['/metric', metric], ['/metrics', metric], ['/logEvents', logs]] as const) {
    t.equal((await post(`/a1/b-2${path}`, body, { authorization })).status, 201, path)
    t.not((await post(path, body, { authorization })).status, 201, `${path} without the prefix`)
  }
  t.equal(
    (await post('/a1/b-2/logEvents', `${JSON.stringify(logs)}\n`, {
      authorization, 'content-type': 'application/x-ndjson'
    })).status,
    201
  )
  t.equal((await fetch(`${url}/a1/b-2/test`)).status, 200)
  t.equal((await post('/token', {})).status, 404)
  t.equal((await fetch(`${url}/test`)).status, 404)

  const preflight = await fetch(`${url}/a1/b-2/logEvents`, {
    method: 'OPTIONS', headers: { origin: 'https://shop.example', 'access-control-request-method': 'POST' }
  })
  t.equal(preflight.status, 204)

  for (const path of ['/health/live', '/health/ready', '/documentation', '/documentation/json', '/openapi.json']) {
    t.equal((await fetch(url + path)).status, 200, path)
  }
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
  for (const path of ['/metrics', '/admin/dead-letters']) {
    t.equal((await fetch(url + path, { headers })).status, 200, path)
  }
  t.ok(Object.hasOwn(app.swagger().paths!, '/a1/b-2/logEvents'), 'the document shows the paths as they are')
})

t.test('a prefix that is no path stops the start', async t => {
  for (const prefix of ['a', '/a/', '/', '/a b', '/:id', '/*']) {
    await t.rejects(
      startGateway({ teardown: handler => t.teardown(handler) }, { ROUTE_PREFIX: prefix }),
      /ROUTE_PREFIX is wrong/,
      prefix
    )
  }
})

t.test('TEST_ROUTE=off takes GET /test away', async t => {
  const { url, sandbox } = await startGateway(t, { TEST_ROUTE: 'off' })
  t.equal((await fetch(`${url}/test`)).status, 404)
  t.same(sandbox.ledger().calls, {})
})

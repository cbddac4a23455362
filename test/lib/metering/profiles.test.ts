import t from 'tap'
import { readCall } from '../../../lib/metering/metered-call.js'
import { eventError, type EventRoute } from '../../../tools/sandbox/platform/events.js'
import { PROFILES } from '../../../lib/metering/profiles.js'
import { accessLogLine, CALLED_AT } from '../../helpers/metering.js'

const call = readCall(accessLogLine(), { key: 'k', timestamp: 0 })
/** As it goes over the wire. */
const wire = (body: object): unknown => JSON.parse(JSON.stringify(body))

t.test('v1-meter sends the eight fields of the guide, and what else the API knows', async t => {
  const [post, ...others] = PROFILES['v1-meter'].posts(call)
  t.equal(others.length, 0)
  t.strictSame(wire(post!.body), {
    method: 'GET',
    url: '/orders/7',
    application: 'acme',
    responseCode: 200,
    remoteHost: '203.0.113.7',
    backendLatency: 31,
    responseMessageSize: 1024,
    source: 'AWS',
    gatewayLatency: 7,
    userAgent: 'curl/8.5.0',
    httpProtocol: 'HTTP/1.1',
    correlationId: 'X1'
  })
  t.equal(post!.path, '')
  t.equal(post!.idempotencyKey, call.id)
})

t.test('v1-event sends a request and a response, each with its time', async t => {
  const [request, response] = PROFILES['v1-event'].posts(call)
  t.match(wire(request!.body), {
    eventType: 'REQUEST',
    requestId: call.id,
    currentMillis: CALLED_AT,
    method: 'GET',
    uri: '/orders/7',
    clientId: 'acme'
  })
  t.match(wire(response!.body), {
    eventType: 'RESPONSE',
    requestId: call.id,
    currentMillis: CALLED_AT + 38,
    elapsedTime: 38,
    responseCode: 200
  })
  t.not(request!.idempotencyKey, response!.idempotencyKey)
})

t.test('v2 sends a request and a response, paired by the id of the call', async t => {
  const [request, response] = PROFILES.v2.posts(call)
  t.equal(request!.path, '/v2/apis/requests')
  t.match(wire(request!.body), {
    transactionId: call.id,
    credential: 'acme',
    method: 'GET',
    resource: '/orders/7',
    sourceType: 'AWS'
  })
  t.equal(response!.path, '/v2/apis/responses')
  t.match(wire(response!.body), { transactionId: call.id, responseCode: 200, totalDuration: 38, gatewayLatency: 7 })
  const [odd] = PROFILES.v2.posts({ ...call, method: 'PROPFIND' })
  t.notOk('method' in (wire(odd!.body) as object))
})

t.test('every profile sends what the schemas of the platform take, also when little is known', async t => {
  const little = readCall(accessLogLine({
    integrationLatency: '-',
    responseLatency: '-',
    responseLength: '-',
    userAgent: '-',
    sourceIp: '-',
    protocol: '-',
    clientId: '-',
    principalId: '-'
  }), { key: 'k', timestamp: 5 })
  const routes: Record<keyof typeof PROFILES, EventRoute[]> = {
    'v1-meter': ['meter'], 'v1-event': ['event', 'event'], v2: ['requests', 'responses']
  }
  for (const [name, expected] of Object.entries(routes)) {
    for (const metered of [call, little]) {
      const posts = PROFILES[name as keyof typeof PROFILES].posts(metered)
      posts.forEach(({ body }, index) => t.equal(eventError(expected[index]!, wire(body)), null, name))
    }
  }
})

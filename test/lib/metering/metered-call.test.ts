import t from 'tap'
import { UnreadableLineError } from '../../../lib/metering/access-log.js'
import { MAX_LINE_LENGTH, readCall } from '../../../lib/metering/metered-call.js'
import { accessLogLine, CALLED_AT } from '../../helpers/metering.js'

const ORIGIN = { key: 'line 1', timestamp: CALLED_AT + 1_000 }
const read = (fields: Parameters<typeof accessLogLine>[0] = {}, origin = ORIGIN) =>
  readCall(accessLogLine(fields), origin)

t.test('a line becomes a call with numbers as numbers', async t => {
  const { id, ...call } = read()
  t.match(id, /^[0-9a-f]{64}$/)
  t.strictSame(call, {
    timestamp: CALLED_AT,
    application: 'acme',
    method: 'GET',
    url: '/orders/7',
    responseCode: 200,
    remoteHost: '203.0.113.7',
    backendLatency: 31,
    gatewayLatency: 7,
    totalLatency: 38,
    responseMessageSize: 1024,
    userAgent: 'curl/8.5.0',
    httpProtocol: 'HTTP/1.1',
    correlationId: 'X1',
    turnedAway: false
  })
})

t.test('the application is the client id, and the principal only when there is none', async t => {
  t.equal(read({ clientId: 'acme', principalId: 'user' }).application, 'acme')
  t.equal(read({ clientId: '-', principalId: 'globex' }).application, 'globex')
  t.notOk('application' in read({ clientId: '-', principalId: '-' }))
})

t.test('the id is that of the call: API, stage and extended request id', async t => {
  const { id } = read()
  t.equal(read({ status: '500', path: '/other', requestId: 'another' }, { key: 'line 2', timestamp: 0 }).id, id)
  t.not(read({ extendedRequestId: 'X2' }).id, id)
  t.not(read({ apiId: 'other' }).id, id)
  t.not(read({ stage: 'beta' }).id, id)
  t.not(read({ apiId: 'a', stage: 'bc' }).id, read({ apiId: 'ab', stage: 'c' }).id)
})

t.test('a request id that the caller has chosen does not make two calls one', async t => {
  const chosen = { requestId: '11111111-1111-1111-1111-111111111111' }
  t.not(read({ ...chosen, extendedRequestId: 'X1' }).id, read({ ...chosen, extendedRequestId: 'X2' }).id)
  const bare = { ...chosen, extendedRequestId: '-' }
  t.not(read(bare, { key: 'line 1', timestamp: 0 }).id, read(bare, { key: 'line 2', timestamp: 0 }).id)
  t.equal(read(bare).id, read(bare).id)
})

t.test('what is not a number is left out', async t => {
  const call = read({ integrationLatency: '-', responseLatency: 'NaN', responseLength: '-5', requestTimeEpoch: 'soon' })
  for (const field of ['backendLatency', 'gatewayLatency', 'totalLatency', 'responseMessageSize']) {
    t.notOk(field in call, field)
  }
  t.equal(call.timestamp, ORIGIN.timestamp)
  t.equal(read({ integrationLatency: '50', responseLatency: '40' }).gatewayLatency, 0)
})

t.test('without a status of HTTP there is no call', async t => {
  for (const status of ['-', '', undefined, '0', '99', '600', 'OK', '-200']) {
    t.throws(() => read({ status }), UnreadableLineError, String(status))
  }
})

t.test('a client id that cannot be one makes the line unreadable', async t => {
  for (const clientId of ['a\u0000b', 'a\nb', '\ud800', 'x'.repeat(10_240)]) {
    t.throws(() => read({ clientId }), { message: /the client id must/ })
  }
  t.equal(read({ clientId: 'R&D 100% "quoted"' }).application, 'R&D 100% "quoted"')
})

t.test('a call that never reached the backend was turned away', async t => {
  const refused = { status: '403', integrationLatency: '-', integrationStatus: '-' }
  t.equal(read(refused).turnedAway, true)
  t.equal(read({ ...refused, status: '401' }).turnedAway, true)
  t.equal(read({ status: '403' }).turnedAway, false, 'the backend has said it')
  t.equal(read({ ...refused, status: '500' }).turnedAway, false)
})

t.test('what API Gateway itself refuses was turned away: limits, bodies, requests and routes as well', async t => {
  const refused = { integrationLatency: '-', integrationStatus: '-' }
  for (const status of ['429', '413', '400', '415', '404', '408']) {
    t.equal(read({ ...refused, status }).turnedAway, true, status)
    t.equal(read({ status }).turnedAway, false, `${status} of the backend`)
    t.equal(
      read({ status, integrationLatency: undefined, integrationStatus: undefined }).turnedAway,
      false,
      `${status} in a log that does not say whose it is`
    )
  }
  t.equal(
    read({
      ...refused, status: '500', authorizerError: 'the entitlement of the client cannot be determined'
    }).turnedAway,
    true
  )
  t.equal(read({ ...refused, status: '204' }).turnedAway, false)
  t.equal(read({ ...refused, integrationLatency: '29000', status: '408' }).turnedAway, false)
})

t.test('a line that no message of a queue could carry is unreadable, and one with all that a caller may send is not', async t => {
  t.throws(() => read({ path: '/'.repeat(MAX_LINE_LENGTH) }), UnreadableLineError)
  t.equal(read({ path: '/'.repeat(10_240), userAgent: '"'.repeat(5_000) }).url?.length, 10_240)
})

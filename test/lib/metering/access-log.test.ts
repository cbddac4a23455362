import t from 'tap'
import {
  ACCESS_LOG_KEYS, readAccessLog, readInteger, readNumber, UnreadableLineError, type AccessLog
} from '../../../lib/metering/access-log.js'
import { accessLogLine } from '../../helpers/metering.js'

const parseAccessLog = (line: string): AccessLog => readAccessLog(line).log

t.test('a line is read key by key', async t => {
  t.match(parseAccessLog(accessLogLine()), {
    status: '200',
    clientId: 'acme',
    path: '/orders/7',
    integrationLatency: '31'
  })
  t.strictSame(
    Object.keys(parseAccessLog(accessLogLine({ authorizerError: 'none' }))).sort(), [...ACCESS_LOG_KEYS].sort()
  )
})

t.test('what is written as - or empty is absent', async t => {
  const log = parseAccessLog(accessLogLine({ integrationLatency: '-', clientId: '', status: '401' }))
  t.notOk('integrationLatency' in log)
  t.notOk('clientId' in log)
  t.equal(log.status, '401')
})

t.test('values without quotes are read, too', async t => {
  const log = parseAccessLog(
    '{ "extendedRequestId": "a", "status": 200, "integrationLatency": -, "responseLength": 12, "clientId": null }'
  )
  t.strictSame(log, { extendedRequestId: 'a', status: '200', responseLength: '12' })
})

t.test('what is nested does not disturb what is not', async t => {
  const log = parseAccessLog('{"extendedRequestId":"a","identity":{"status":"500"},"status":"200"}')
  t.strictSame(log, { extendedRequestId: 'a', status: '200' })
})

t.test('escapes are undone', async t => {
  t.equal(parseAccessLog(accessLogLine({ userAgent: 'a "quoted" \\ agent' })).userAgent, 'a "quoted" \\ agent')
})

t.test('a user agent that ends its own string cannot write over what stands before it', async t => {
  const attack = accessLogLine({ userAgent: 'AGENT' }).replace(
    'AGENT', 'x","clientId":"victim","status":"599","more":"'
  )
  t.match(parseAccessLog(attack), { clientId: 'acme', status: '200', userAgent: 'x' })
  const anonymous = accessLogLine({ clientId: '-', principalId: '-', userAgent: 'AGENT' }).replace(
    'AGENT', 'x","clientId":"victim","more":"'
  )
  t.notOk('clientId' in parseAccessLog(anonymous))
})

t.test('a line that an unescaped quote breaks is read up to there', async t => {
  const broken = accessLogLine({ userAgent: 'AGENT' }).replace('AGENT', 'the "best" agent')
  t.throws(() => JSON.parse(broken))
  t.match(parseAccessLog(broken), { extendedRequestId: 'X1', status: '200', clientId: 'acme', path: '/orders/7' })
})

t.test('a line that is no object, or breaks before what counts, is unreadable', async t => {
  for (const line of ['', '-', 'GET / 200', '[]', '"text"', 'null', '42', '{', '{"status":"200"', '{"path":"/x"y']) {
    t.throws(() => parseAccessLog(line), UnreadableLineError, line)
  }
})

t.test('a value with a quote in it, before the values of AWS, is read up to the next key', async t => {
  for (const userAgent of ['x" y', 'x", y', 'the "best", or "next": best', '"', 'x"} y']) {
    const line = `{"extendedRequestId":"a","userAgent":"${userAgent}","status":"200","path":"/p"q", "clientId":"acme"}`
    t.match(parseAccessLog(line), { extendedRequestId: 'a', status: '200', path: '/p"q', clientId: 'acme' }, userAgent)
  }
})

t.test('two values of a key, of which the caller may have written one, are no value', async t => {
  const line = (userAgent: string): string =>
    `{"extendedRequestId":"a","userAgent":"${userAgent}","status":"200","clientId":"acme"}`
  t.equal(parseAccessLog(line('x')).clientId, 'acme')
  t.equal(parseAccessLog(line('x","clientId":"acme')).clientId, 'acme')
  for (const userAgent of ['x","clientId":"victim', 'x" y","clientId":"victim","z":"z', 'x","status":"404']) {
    t.throws(() => parseAccessLog(line(userAgent)), {
      name: 'UnreadableLineError',
      message: /^the line has two values of (clientId|status), of which the caller may have written one/
    })
  }
})

t.test('a line that breaks off before the id of the client is not that of nobody', async t => {
  t.throws(() => parseAccessLog('{"extendedRequestId":"a","status":"200","userAgent":"x" y'), {
    message: /breaks off before the id of the client/
  })
})

t.test('the JSON formats that API Gateway offers are read', async t => {
  const rest = '{ "requestId":"r", "extendedRequestId":"e", "ip": "203.0.113.7", "caller":"AIDACKCEVSQ6C2EXAMPLE", ' +
    '"user":"AIDACKCEVSQ6C2EXAMPLE", "requestTime":"22/Nov/2026:12:00:00 +0000", "httpMethod":"GET", ' +
    '"resourcePath":"/orders/{id}", "status":"200", "protocol":"HTTP/1.1", "responseLength":"12" }'
  t.strictSame(parseAccessLog(rest), {
    extendedRequestId: 'e',
    requestId: 'r',
    httpMethod: 'GET',
    status: '200',
    responseLength: '12',
    protocol: 'HTTP/1.1',
    sourceIp: '203.0.113.7',
    path: '/orders/{id}',
    principalId: 'AIDACKCEVSQ6C2EXAMPLE'
  })
  const http = '{ "requestId":"r", "ip": "203.0.113.7", "requestTime":"22/Nov/2026:12:00:00 +0000", ' +
    '"httpMethod":"GET","routeKey":"GET /orders", "status":"200","protocol":"HTTP/1.1", "responseLength":"12" }'
  t.strictSame(parseAccessLog(http), {
    requestId: 'r',
    httpMethod: 'GET',
    status: '200',
    responseLength: '12',
    protocol: 'HTTP/1.1',
    sourceIp: '203.0.113.7'
  })
  t.match(
    parseAccessLog(accessLogLine().replace('{', '{"ip":"192.0.2.1","user":"other","resourcePath":"/{proxy+}",')),
    { sourceIp: '203.0.113.7', principalId: 'acme', path: '/orders/7' }
  )
})

t.test('a long line takes no long time', async t => {
  const startedAt = performance.now()
  const log = parseAccessLog(accessLogLine({ path: '/'.padEnd(1_000_000, '\\'), userAgent: '"'.repeat(100_000) }))
  t.equal(log.path?.length, 1_000_000)
  t.ok(performance.now() - startedAt < 2_000)
})

t.test('numbers are strict', async t => {
  t.equal(readNumber('31'), 31)
  t.equal(readNumber('0.5'), 0.5)
  for (const text of [undefined, '', '-', '-1', 'NaN', 'Infinity', '1e3', '0x10', ' 1', '1'.repeat(16)]) {
    t.equal(readNumber(text), undefined, String(text))
  }
  t.equal(readInteger('1024'), 1024)
  for (const text of ['1.5', '-1', '-', '1e3']) t.equal(readInteger(text), undefined, text)
})

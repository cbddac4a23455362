import t from 'tap'
import { ACCESS_LOG_KEYS, parseAccessLog, readInteger, readNumber, UnreadableLineError } from '../../../lib/metering/access-log.js'
import { accessLogLine } from '../../helpers/metering.js'

t.test('a line is read key by key', async t => {
  t.match(parseAccessLog(accessLogLine()), { status: '200', clientId: 'acme', path: '/orders/7', integrationLatency: '31' })
  t.strictSame(Object.keys(parseAccessLog(accessLogLine({}))).sort(), [...ACCESS_LOG_KEYS].sort())
})

t.test('what is written as - or empty is absent', async t => {
  const log = parseAccessLog(accessLogLine({ integrationLatency: '-', clientId: '', status: '401' }))
  t.notOk('integrationLatency' in log)
  t.notOk('clientId' in log)
  t.equal(log.status, '401')
})

t.test('values without quotes are read, too', async t => {
  const log = parseAccessLog('{ "extendedRequestId": "a", "status": 200, "integrationLatency": -, "responseLength": 12, "clientId": null }')
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
  const attack = accessLogLine({ userAgent: 'AGENT' }).replace('AGENT', 'x","clientId":"victim","status":"599","more":"')
  t.match(parseAccessLog(attack), { clientId: 'acme', status: '200', userAgent: 'x' })
  const anonymous = accessLogLine({ clientId: '-', principalId: '-', userAgent: 'AGENT' }).replace('AGENT', 'x","clientId":"victim","more":"')
  t.notOk('clientId' in parseAccessLog(anonymous))
})

t.test('a line that an unescaped quote breaks is read up to there', async t => {
  const broken = accessLogLine({ userAgent: 'AGENT' }).replace('AGENT', 'the "best" agent')
  t.throws(() => JSON.parse(broken))
  t.match(parseAccessLog(broken), { extendedRequestId: 'X1', status: '200', clientId: 'acme', path: '/orders/7' })
})

t.test('a line that is no object, or breaks before what counts, is unreadable', async t => {
  for (const line of ['', '-', 'GET / 200', '[]', '"text"', 'null', '42', '{', '{"status":"200"', '{"path":"/x"y","status":"200","extendedRequestId":"a"}']) {
    t.throws(() => parseAccessLog(line), UnreadableLineError, line)
  }
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
  for (const text of [undefined, '', '-', '-1', 'NaN', 'Infinity', '1e3', '0x10', ' 1', '1'.repeat(16)]) t.equal(readNumber(text), undefined, String(text))
  t.equal(readInteger('1024'), 1024)
  for (const text of ['1.5', '-1', '-', '1e3']) t.equal(readInteger(text), undefined, text)
})

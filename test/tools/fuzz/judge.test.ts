import t from 'tap'
import { operationsOf, readDocument } from '../../../tools/fuzz/document.js'
import { createJudge } from '../../../tools/fuzz/judge.js'

const document = readDocument()
const { fault } = createJudge(document, operationsOf(document))
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' }
const ERROR = { error: { code: 111, message: 'm' } }

const asked = (method: string, path: string, bytes = 0) => ({
  method,
  path,
  headers: {},
  body: bytes === 0 ? null : Buffer.alloc(bytes)
})
const answered = (status: number, body: unknown, headers: Record<string, string> = JSON_TYPE) => ({
  status, headers, body: typeof body === 'string' ? body : JSON.stringify(body)
})

t.test('answers of the document are no fault', async t => {
  t.equal(fault(asked('POST', '/token'), answered(201, { accessToken: 'a' })), null)
  t.equal(fault(asked('POST', '/logEvents?accessToken=x'), answered(401, ERROR)), null)
  t.equal(fault(asked('GET', '/admin/dead-letters/1-0'), answered(404, ERROR)), null)
  t.equal(fault(asked('GET', '/nothing'), answered(404, ERROR)), null)
  t.equal(fault(asked('GET', '/health/ready'), answered(503, { status: 'failing', failing: [] })), null)
  t.equal(fault(asked('POST', '/logEvents', 2_000_000), null), null, 'a large body may be cut off')
})

t.test('all others are', async t => {
  t.match(fault(asked('POST', '/token'), answered(500, ERROR)), /status 500/)
  t.match(fault(asked('POST', '/logEvents'), answered(503, ERROR)), /status 503/)
  t.match(fault(asked('POST', '/token'), answered(201, { accessToken: 5 })), /does not match its schema/)
  t.match(fault(asked('POST', '/token'), answered(201, { accessToken: 'a', more: 1 })), /does not match its schema/)
  t.match(fault(asked('POST', '/token'), answered(201, '{')), /not JSON/)
  t.match(fault(asked('POST', '/token'), answered(202, {})), /status 202 is not in the document/)
  t.match(
    fault(asked('GET', '/metrics'), answered(401, 'no', { 'content-type': 'text/plain' })), /content type text\/plain/
  )
  t.match(fault(asked('GET', '/nothing'), answered(200, {})), /no such operation/)
  t.match(fault(asked('POST', '/token'), null), /no answer/)
})

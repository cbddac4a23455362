import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { startGateway } from '../helpers/app.js'
import { openRaw } from '../helpers/raw.js'

const HEAD = 'POST /logEvents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer '
const SHORT = { HEADERS_TIMEOUT_MS: '500', REQUEST_TIMEOUT_MS: '1000', KEEP_ALIVE_TIMEOUT_MS: '500' }

/** Sends a character now and then, as a client does that wants to hold a connection for as long as it can. */
function drip (
  { socket }: { socket: { writable: boolean, write (text: string, encoding: 'latin1'): unknown } }, text: string
): () => void {
  let sent = 0
  const timer = setInterval(
    () => { if (socket.writable && sent < text.length) socket.write(text[sent++]!, 'latin1') }, 50
  )
  return () => clearInterval(timer)
}

async function checkTimeout (t: Test, connection: ReturnType<typeof openRaw>): Promise<void> {
  const answer = await connection.answer
  t.equal(answer.status, 408)
  t.match(JSON.parse(answer.body), { error: { code: 132 } })
  t.equal(answer.headers['access-control-allow-origin'], '*')
  await connection.closed
}

t.test('who is too slow is answered 408 and loses the connection, and others are served meanwhile', async t => {
  const gateway = await startGateway(t, SHORT)
  const token = await gateway.token()

  t.test('with the headers', async t => {
    const connection = openRaw(gateway.url)
    const stop = drip(connection, `GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ${'a'.repeat(10_000)}`)
    t.equal((await fetch(`${gateway.url}/health/live`)).status, 200)
    await checkTimeout(t, connection)
    stop()
  })

  t.test('with the body', async t => {
    const connection = openRaw(gateway.url)
    connection.write(`${HEAD}${token}\r\nContent-Length: 10000\r\n\r\n`)
    const stop = drip(connection, '{"logGroupName":"/slow","logStreamName":"s","logEvents":['.padEnd(10_000))
    await checkTimeout(t, connection)
    stop()
  })

  t.test('with a compressed body in chunks', async t => {
    const connection = openRaw(gateway.url)
    connection.write(`${HEAD}${token}\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n`)
    const stop = drip(
      connection, Array.from(gzipSync(randomBytes(1_000)).toString('latin1'), byte => `1\r\n${byte}\r\n`).join('')
    )
    await checkTimeout(t, connection)
    stop()
  })

  t.test('two hundred at once', async t => {
    const connections = Array.from({ length: 200 }, () => openRaw(gateway.url))
    for (const connection of connections) connection.write('GET /health/live HTTP/1.1\r\nX-Slow: ')
    t.equal((await fetch(`${gateway.url}/health/live`)).status, 200)
    const texts = await Promise.all(connections.map(({ closed }) => closed))
    t.ok(texts.every(text => text.startsWith('HTTP/1.1 408')))
  })
})

t.test('a connection that is silent is closed', async t => {
  const gateway = await startGateway(t, { ...SHORT, CONNECTION_TIMEOUT_MS: '500', REQUEST_TIMEOUT_MS: '60000' })

  t.test('before its first request', async t => {
    t.match(await openRaw(gateway.url).closed, /^(HTTP\/1\.1 408|$)/)
  })

  t.test('between two requests', async t => {
    const connection = openRaw(gateway.url)
    connection.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
    t.equal((await connection.answer).status, 200)
    await connection.closed
    t.pass('it was closed')
  })

  t.test('in the middle of a request', async t => {
    const connection = openRaw(gateway.url)
    connection.write(`${HEAD}${await gateway.token()}\r\nContent-Length: 10000\r\n\r\n{`)
    t.equal(await connection.closed, '')
  })
})

t.test('a client that waits for the delivery is not silent', async t => {
  const gateway = await startGateway(t, {
    FLUSH_INTERVAL_MS: '30000',
    REQUEST_TIMEOUT_MS: '500',
    HEADERS_TIMEOUT_MS: '500',
    KEEP_ALIVE_TIMEOUT_MS: '500'
  })
  gateway.sandbox.faults.set([{ kind: 'hang' }])
  const authorization = `Bearer ${await gateway.token()}`
  const answer = await gateway.post(
    '/logEvents',
    { logGroupName: '/w', logStreamName: 's', logEvents: [{ message: 'm' }] },
    { authorization, prefer: 'wait=3' }
  )
  t.equal(answer.status, 201)
  gateway.sandbox.faults.clear()
})

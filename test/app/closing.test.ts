import t from 'tap'
import { startGateway } from '../helpers/app.js'
import { openRaw } from '../helpers/raw.js'

t.test('what arrives on a busy connection while the server closes is stored and answered', async t => {
  const { app, url, token, sandbox } = await startGateway(t)
  const authorization = `Bearer ${await token()}`
  const body = (message: string) =>
    JSON.stringify({ logGroupName: '/closing', logStreamName: 's', logEvents: [{ message }] })
  const head = (length: number) =>
    'POST /logEvents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: ' +
      `${authorization}\r\nContent-Length: ${length}\r\n\r\n`

  const { write, closed } = openRaw(url)
  const first = body('first')
  write(head(first.length) + first.slice(0, 10))
  await new Promise(resolve => setTimeout(resolve, 200))
  const stopped = app.close()
  await new Promise(resolve => setTimeout(resolve, 200))
  const second = body('second')
  write(first.slice(10) + head(second.length) + second)

  const text = await closed
  await stopped
  t.equal(text.match(/HTTP\/1\.1 201 /g)?.length, 2, text)
  t.match(text, /connection: close/i)
  t.same(
    [...sandbox.items('/closing')].map(({ message }) => message).sort(),
    ['first', 'second'],
    'and delivered before the process ends'
  )
})

t.test('requests that never come whole, and answers that nobody reads, do not keep the gateway from delivering and ending', async t => {
  const { app, url, token, sandbox, post } = await startGateway(t, {
    FLUSH_INTERVAL_MS: '60000', SHUTDOWN_GRACE_MS: '4000'
  })
  const authorization = `Bearer ${await token()}`
  const stored = await post(
    '/logEvents',
    { logGroupName: '/unfinished', logStreamName: 's', logEvents: [{ message: 'stored' }] },
    { authorization }
  )
  t.equal(stored.status, 201)

  const unfinished = {
    'half a line': 'POST /logE',
    'half a header': 'POST /logEvents HTTP/1.1\r\nHost: x\r\nContent-Le',
    'a body of one byte': 'POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ' +
      '100\r\n\r\n{',
    'a chunk of one byte, with a token': 'POST /logEvents HTTP/1.1\r\nHost: x\r\nContent-Type: ' +
      `application/json\r\nAuthorization: ${authorization}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`,
    'one that waits for 100-continue': 'POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: ' +
      '100-continue\r\nContent-Length: 100\r\n\r\n'
  }
  const connections = Object.values(unfinished).map(text => {
    const connection = openRaw(url)
    connection.write(text)
    return connection
  })
  const slow = openRaw(url)
  slow.write('POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n')
  const dripping = setInterval(() => slow.write(' '), 50)
  t.teardown(() => clearInterval(dripping))
  const deaf = openRaw(url)
  deaf.socket.pause()
  deaf.write('GET /documentation/json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100))
  sandbox.faults.set({ rules: [{ kind: 'hang', logGroupName: '/never' }] })
  const waiting = post(
    '/logEvents',
    { logGroupName: '/never', logStreamName: 's', logEvents: [{ message: 'waits' }] },
    { authorization, prefer: 'wait=30' }
  )
  const ends: string[] = []
  Promise.all([...connections, slow].map(({ closed }) => closed)).then(() => ends.push('cut'), () => {})
  waiting.then(() => ends.push('answered'), () => {})
  await new Promise(resolve => setTimeout(resolve, 200))

  const closingAt = performance.now()
  await app.close()
  const closedMs = performance.now() - closingAt
  t.ok(closedMs < 8_000, `closed after ${closedMs.toFixed(0)} ms`)
  t.equal((await waiting).status, 201, 'a request that waits for its delivery is answered all the same')
  t.same(ends, ['cut', 'answered'], 'what does not come whole is cut before')
  deaf.socket.resume()
  await Promise.all([...connections, slow, deaf].map(({ closed }) => closed))
  t.same([...sandbox.items('/unfinished')].map(({ message }) => message), ['stored'], 'what was stored is delivered')
})

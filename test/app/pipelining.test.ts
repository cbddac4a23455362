import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { eventually, startGateway } from '../helpers/app.js'

const ITEMS = 1_000

t.test('a connection that does not read its answers costs nobody else', async t => {
  const { app, sandbox, token, url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '0' })
  const authorization = `Bearer ${await token()}`
  const { hostname, port } = new URL(url)
  const responses: ServerResponse[] = []
  app.server.prependListener('request', (_request, response: ServerResponse) => responses.push(response))
  const open = async (): Promise<Socket> => {
    const socket = connect(Number(port), hostname)
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    return socket.pause()
  }
  const body = gzipSync(JSON.stringify({ params: { Namespace: 'n', MetricData: Array(ITEMS).fill(0) } }))
  const bad = Buffer.concat([
    Buffer.from(
      `POST /metric HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: ` +
        `application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`
    ),
    body
  ])

  t.test('120 requests with 1,000 bad items each, on five connections', async t => {
    const sockets = await Promise.all(Array.from({ length: 5 }, open))
    for (const socket of sockets) socket.write(Buffer.concat(Array(120).fill(bad)))
    for (let i = 0; i < 10; i++) {
      const startedAt = performance.now()
      t.equal((await fetch(`${url}/health/live`)).status, 200)
      t.ok(performance.now() - startedAt < 5_000, `answered after ${performance.now() - startedAt} ms`)
    }
    // Whoever reads gets every answer.
    for (const socket of sockets) {
      let text = ''
      socket.setEncoding('latin1').on('data', (chunk: string) => { text += chunk }).resume()
      await eventually(() => text.split('HTTP/1.1 400').length - 1 === 120 ? true : undefined, 60_000)
      socket.destroy()
    }
  })

  t.test('the document of the API, asked for again and again', async t => {
    const socket = await open()
    responses.length = 0
    socket.write('GET /documentation/json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(900))
    await eventually(() => responses.length >= 900 ? true : undefined)
    await new Promise(resolve => setTimeout(resolve, 500))
    const made = responses.filter(({ writableEnded }) => writableEnded).length
    t.ok(made > 0 && made < 300, `${made} of 900 answers are made, some of which lie in buffers of the system`)
    socket.destroy()
  })

  t.test('more requests than anybody sends without reading end the connection', async t => {
    sandbox.faults.set([{ kind: 'hang' }])
    const socket = await open()
    socket.on('error', () => {})
    const closed = new Promise(resolve => socket.once('close', resolve))
    const waits = JSON.stringify({ logGroupName: '/p', logStreamName: 's', logEvents: [{ message: 'm' }] })
    const request = 'POST /logEvents HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\nAuthorization: ' +
      `${authorization}\r\nContent-Type: application/json\r\nContent-Length: ${waits.length}\r\n\r\n${waits}`
    socket.resume()
    for (let i = 0; i < 30 && !socket.destroyed; i++) socket.write(request.repeat(100))
    await closed
    t.ok((await app.spool.ledger()).accepted <= 20, 'those that waited are not worked on')
    sandbox.faults.clear()
    t.equal((await fetch(`${url}/health/live`)).status, 200)
  })
})

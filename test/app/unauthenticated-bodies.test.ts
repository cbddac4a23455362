import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { MAX_UNAUTHENTICATED_BYTES } from '../../lib/http/unauthenticated-body.js'
import { startGateway } from '../helpers/app.js'
import { askRaw } from '../helpers/raw.js'

const MIB = 1_048_576
const NESTED = '['.repeat(MIB) + ']'.repeat(MIB)
const JSON_TYPE = { 'content-type': 'application/json' }
const ROUTES = ['/metric', '/metrics', '/logEvents', '/token']

t.test('a body without a token is small and shallow, or refused before it is parsed', async t => {
  const { post, token, url } = await startGateway(t, { FORWARDER: 'off', RATE_LIMIT_PER_MINUTE: '0' })
  const accessToken = await token()
  const send = async (path: string, body: string | Uint8Array, headers: Record<string, string> = {}) => {
    const response = await fetch(url + path, { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body })
    return { status: response.status, ...await response.json() as { error?: { code: number, message: string } } }
  }
  const refused = { status: 413, error: { code: 130, message: /Authorization: Bearer/ } }
  const logs = (length: number) =>
    JSON.stringify({
      logGroupName: '/u',
      logStreamName: 's',
      logEvents: [{ message: 'x'.repeat(length) }],
      accessToken
    })

  t.test('2 MB of nested arrays in a few bytes', async t => {
    for (const path of ROUTES) {
      for (const [encoding, compress] of [
        ['gzip', gzipSync],
        ['deflate', deflateSync],
        ['br', brotliCompressSync]
      ] as const) {
        t.match(await send(path, compress(NESTED), { 'content-encoding': encoding }), refused, `${path}, ${encoding}`)
      }
    }
    const started = process.cpuUsage()
    for (let i = 0; i < 20; i++) {
      t.match(await send('/metric', gzipSync(NESTED), { 'content-encoding': 'gzip' }), refused)
    }
    const { user, system } = process.cpuUsage(started)
    t.ok((user + system) / 1_000 < 20 * 150, `${(user + system) / 20_000} ms of CPU a request, compression included`)
  })

  t.test('nested arrays that are small enough', async t => {
    for (const path of ROUTES) {
      t.match(await send(path, '['.repeat(40) + ']'.repeat(40)), refused, path)
      t.match(await send(path, '['.repeat(100_000)), refused, path)
    }
    t.match(
      await send('/logEvents', `{"a":1}\n${'['.repeat(40)}\n`, { 'content-type': 'application/x-ndjson' }), refused
    )
  })

  t.test('the limit holds for the body as inflated, and for one that does not say its length', async t => {
    const fits = logs(MAX_UNAUTHENTICATED_BYTES - 1_000)
    const exceeds = logs(MAX_UNAUTHENTICATED_BYTES)
    t.match(await send('/logEvents', fits), { status: 201 })
    t.match(await send('/logEvents', gzipSync(fits), { 'content-encoding': 'gzip' }), { status: 201 })
    t.match(await send('/logEvents', exceeds), refused)
    t.match(await send('/logEvents', gzipSync(exceeds), { 'content-encoding': 'gzip' }), refused)
    t.match(await send('/logEvents', exceeds, { 'content-type': 'text/plain' }), refused)
    const chunk = `${(60_000).toString(16)}\r\n${'x'.repeat(60_000)}\r\n`
    const answer = await askRaw(
      url,
      'POST /logEvents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: ' +
        `chunked\r\n\r\n${chunk.repeat(3)}0\r\n\r\n`
    )
    t.equal(answer.status, 413)
  })

  t.test('with a token in the header or the query the usual limits hold', async t => {
    const large = logs(MAX_UNAUTHENTICATED_BYTES)
    t.match(await send('/logEvents', large, { authorization: `Bearer ${accessToken}` }), { status: 201 })
    t.match(
      await send(`/logEvents?accessToken=${accessToken}`, gzipSync(large), { 'content-encoding': 'gzip' }),
      { status: 201 }
    )
    t.match(
      await post('/metric', '['.repeat(40) + ']'.repeat(40), { authorization: `Bearer ${accessToken}` }),
      { status: 400 }
    )
  })
})

t.test('bytes without a token count for their address', async t => {
  const { post, url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '100' })
  const body = JSON.stringify({ logGroupName: '/u', logStreamName: 's', logEvents: [{ message: 'x'.repeat(128_000) }] })
  const compressed = gzipSync(body)
  const statuses: number[] = []
  for (let i = 0; i < 8; i++) {
    statuses.push((await post('/logEvents', body)).status)
    statuses.push(
      (await fetch(`${url}/logEvents`, {
        method: 'POST', headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: compressed
      })).status
    )
  }
  t.equal(statuses[0], 403)
  t.equal(statuses.filter(status => status === 403).length, 12, `eight requests each, of 100: ${statuses}`)
  t.equal(statuses.at(-1), 429)
})

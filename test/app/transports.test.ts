import zlib, { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { CLIENT_SECRET_KEY, eventually, startGateway, type Gateway } from '../helpers/app.js'
import { askRaw, openRaw } from '../helpers/raw.js'

const ORIGIN = { origin: 'https://shop.example' }
const logs = (message: string) => ({ logGroupName: '/t', logStreamName: 's', logEvents: [{ message }] })
const { zstdCompressSync } = zlib as unknown as { zstdCompressSync?: (data: string) => Buffer }
const ENCODINGS: Record<string, (text: string) => Buffer> = {
  gzip: gzipSync,
  'x-gzip': gzipSync,
  deflate: deflateSync,
  br: text => brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  ...(zstdCompressSync === undefined ? {} : { zstd: zstdCompressSync })
}

function send (
  { url }: Gateway, path: string, body: Uint8Array | string, headers: Record<string, string>
): Promise<Response> {
  return fetch(url + path, { method: 'POST', headers: { ...ORIGIN, ...headers }, body: body as string })
}

/** Whether a page on another origin could read this error. */
async function check (t: Test, response: Response, status: number, code: number): Promise<Response> {
  t.equal(response.status, status)
  t.match(await response.json(), { error: { code, message: String } })
  t.equal(response.headers.get('access-control-allow-origin'), '*', `${code} has CORS headers`)
  t.match(response.headers.get('access-control-expose-headers'), /Retry-After/)
  t.equal(response.headers.get('x-content-type-options'), 'nosniff')
  return response
}

async function delivered ({ sandbox }: Gateway, ...messages: string[]): Promise<void> {
  await eventually(() => {
    const found = new Set([...sandbox.items('/t')].map(({ message }) => message))
    return messages.every(message => found.has(message)) ? true : undefined
  })
}

t.test('compressed bodies', async t => {
  const gateway = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '0', BODY_LIMIT_BYTES: '1048576' })
  const authorization = `Bearer ${await gateway.token()}`
  const compressed = (body: Uint8Array | string, encoding: string, type = 'application/json') =>
    send(gateway, '/logEvents', body, { authorization, 'content-type': type, 'content-encoding': encoding })

  t.test('every encoding is read, under every content type, and delivered', async t => {
    const messages: string[] = []
    for (const [encoding, compress] of Object.entries(ENCODINGS)) {
      for (const type of ['application/json', 'text/plain;charset=UTF-8']) {
        messages.push(`${encoding} ${type}`)
        t.equal(
          (await compressed(compress(JSON.stringify(logs(`${encoding} ${type}`))), encoding, type)).status,
          201,
          `${encoding} ${type}`
        )
      }
    }
    for (const encoding of ['', 'identity']) {
      messages.push(`plain ${encoding}`)
      t.equal(
        (await compressed(JSON.stringify(logs(`plain ${encoding}`)), encoding)).status,
        201,
        `Content-Encoding: ${encoding}`
      )
    }
    await delivered(gateway, ...messages)
  })

  t.test('the token may be in a compressed body', async t => {
    const body = gzipSync(JSON.stringify({ ...logs('token inside'), accessToken: authorization.slice(7) }))
    t.equal(
      (await send(gateway, '/logEvents', body, { 'content-encoding': 'gzip', 'content-type': 'text/plain' })).status,
      201
    )
    const clientToken = gzipSync(JSON.stringify({
      clientToken: createClientToken(CLIENT_SECRET_KEY, Date.now(), 'salt')
    }))
    t.equal((await send(gateway, '/token', clientToken, { 'content-encoding': 'gzip' })).status, 201)
  })

  t.test('an unknown encoding is refused with those that are known', async t => {
    for (const encoding of ['compress', 'gzip, br', '__proto__']) {
      const answer = await check(t, await compressed('x', encoding), 415, 131)
      t.match(answer.headers.get('accept-encoding'), /gzip, deflate, br/)
    }
  })

  t.test('corrupt and truncated bodies are refused', async t => {
    const whole = gzipSync(JSON.stringify(logs('m')))
    await check(t, await compressed(whole.subarray(0, -9), 'gzip'), 400, 120)
    await check(t, await compressed('this is plain', 'gzip'), 400, 120)
    await check(t, await compressed(whole, 'br'), 400, 120)
    await check(t, await compressed(gzipSync('{"logGroupName":'), 'gzip'), 400, 120)
    await check(t, await compressed(gzipSync(''), 'gzip'), 400, 120)
  })

  t.test('bombs are refused by size and by ratio', async t => {
    const before = process.memoryUsage.rss()
    for (const [encoding, compress] of Object.entries(ENCODINGS)) {
      const bomb = compress(' '.repeat(16 * 1_048_576))
      await check(t, await compressed(bomb, encoding), 413, 130)
      const answers = await Promise.all(Array.from({ length: 20 }, () => compressed(bomb, encoding)))
      t.ok(answers.every(({ status }) => status === 413), `20 at once, ${encoding}`)
    }
    await check(t, await compressed(gzipSync(Buffer.alloc(1_000_000, ' ')), 'gzip'), 413, 130)
    t.ok(process.memoryUsage.rss() - before < 20 * 16 * 1_048_576, 'nothing was inflated whole')
    t.equal((await compressed(gzipSync(JSON.stringify(logs('after'))), 'gzip')).status, 201)
  })

  t.test('a body without an end is cut off at the limit', async t => {
    const { socket, write, closed } = openRaw(gateway.url)
    write(
      `POST /logEvents HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Encoding: ` +
        'gzip\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
    )
    const member = gzipSync(Buffer.from(Array.from({ length: 20_000 }, (_, i) => `${i * 7919 % 10_007},`).join('')))
    let sent = 0
    const timer = setInterval(() => {
      if (!socket.writable) return
      socket.write(`${member.length.toString(16)}\r\n`)
      socket.write(member)
      socket.write('\r\n')
      sent++
    }, 1)
    const text = await closed
    clearInterval(timer)
    t.match(text, /^(HTTP\/1\.1 413 |$)/, 'who does not stop to send may miss the answer')
    t.ok(sent < 1_000, `${sent} pieces were sent`)
    t.equal((await compressed(gzipSync(JSON.stringify(logs('after that'))), 'gzip')).status, 201)
  })
})

t.test('what beacons send', async t => {
  const gateway = await startGateway(t)
  const token = await gateway.token()
  const query = `/logEvents?accessToken=${token}`
  const beacons: Array<[string, string, unknown, Record<string, string>]> = [
    [
      'a string, token in the body',
      '/logEvents',
      { ...logs('1'), accessToken: token },
      { 'content-type': 'text/plain;charset=UTF-8' }
    ],
    ['a string, token in the query', query, logs('2'), { 'content-type': 'text/plain;charset=UTF-8' }],
    ['a Blob of text/plain', query, logs('3'), { 'content-type': 'text/plain' }],
    ['a Blob of application/json', query, logs('4'), { 'content-type': 'application/json' }]
  ]
  for (const [name, path, body, headers] of beacons) {
    t.equal((await send(gateway, path, JSON.stringify(body), headers)).status, 201, name)
  }
  const untyped = await send(gateway, query, Buffer.from(JSON.stringify(logs('5'))), {})
  t.equal(untyped.status, 201, 'a Blob without a type')
  t.equal(
    (await send(gateway, query, gzipSync(JSON.stringify(logs('6'))), { 'content-encoding': 'gzip' })).status,
    201,
    'compressed, without a type'
  )
  const metric = { params: { Namespace: 'beacon', MetricData: [{ MetricName: 'm', Value: 1 }] } }
  t.equal(
    (await send(gateway, `/metric?accessToken=${token}`, JSON.stringify(metric), {
      'content-type': 'text/plain'
    })).status,
    201
  )
  await delivered(gateway, '1', '2', '3', '4', '5', '6')
  await eventually(() => gateway.sandbox.series('beacon')[0])

  t.test('a string that is no JSON, or would change a prototype, is refused', async t => {
    for (const text of [
      'rubbish', '', '{"__proto__":{"admin":true}}', '{"constructor":{"prototype":{"admin":true}}}',
      '{"\\u005f_proto__":1}', '{"logEvents":[{"__proto__":{"message":"m"}}]}'
    ]) {
      await check(t, await send(gateway, query, text, { 'content-type': 'text/plain' }), 400, 120)
    }
    t.equal(({} as { admin?: boolean }).admin, undefined)
  })
})

t.test('preflights are answered for a day, before anything else is asked', async t => {
  const { url } = await startGateway(t)
  for (const path of ['/logEvents', '/metric', '/metrics', '/token']) {
    const answer = await fetch(url + path, {
      method: 'OPTIONS',
      headers: {
        ...ORIGIN,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-encoding,content-type,idempotency-key,prefer'
      }
    })
    t.equal(answer.status, 204)
    t.equal(answer.headers.get('access-control-max-age'), '86400')
    t.match(answer.headers.get('access-control-allow-methods'), /POST/)
    const allowed = answer.headers.get('access-control-allow-headers')?.split(/, */) ?? []
    for (const name of [
      'Authorization', 'Content-Encoding', 'Content-Type', 'Idempotency-Key', 'Prefer', 'X-Api-Key',
      'X-Faro-Session-Id', 'Traceparent', 'Tracestate', 'Baggage', 'Sentry-Trace', 'X-Amzn-Trace-Id'
    ]) {
      t.ok(allowed.includes(name), name)
    }
  }
})

t.test('a page on another origin can read every error', async t => {
  const gateway = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '30' })
  const { url, post } = gateway
  const headers = { ...ORIGIN, authorization: `Bearer ${await gateway.token()}` }
  await check(t, await post('/logEvents', '{', headers), 400, 120)
  await check(t, await post('/logEvents', {}, headers), 400, 121)
  await check(t, await post('/logEvents', logs('m'), { ...ORIGIN, authorization: 'Bearer forged' }), 401, 111)
  await check(t, await post('/logEvents', logs('m'), ORIGIN), 403, 110)
  await check(t, await fetch(`${url}/nothing`, { headers }), 404, 140)
  await check(t, await post('/nothing', '{', headers), 404, 140)
  await check(t, await fetch(`${url}/token`, { method: 'DELETE', headers }), 405, 141)
  await check(t, await post('/logEvents', logs('x'.repeat(3_000_000)), headers), 413, 130)
  await check(t, await post(`/logEvents?accessToken=${'x'.repeat(9_000)}`, logs('m'), headers), 414, 133)
  await check(t, await post('/logEvents', '<m/>', { ...headers, 'content-type': 'application/xml' }), 415, 131)
  await check(t, await post('/logEvents', 'm', { ...headers, 'content-type': 'rubbish' }), 415, 131)
  await check(t, await post('/metric', '{}', { ...headers, 'content-type': 'application/x-ndjson' }), 415, 131)
  const answers = await Promise.all(Array.from({ length: 40 }, () => post('/logEvents', logs('m'), headers)))
  const limited = answers.find(({ status }) => status === 429)
  t.ok(limited, 'one is over the limit')
  await check(t, limited!, 429, 150)
  t.ok(Number(limited!.headers.get('retry-after')) > 0)

  t.test('that of a request which never reaches a route, too', async t => {
    const head = 'Host: x\r\nOrigin: https://shop.example\r\n'
    const cases: Array<[string, string, number, number]> = [
      ['a path that cannot be decoded', `GET /%zz HTTP/1.1\r\n${head}\r\n`, 400, 124],
      ['no HTTP at all', 'rubbish\r\n\r\n', 400, 124],
      ['a header with a control character', `GET /health/live HTTP/1.1\r\n${head}X-A: a\x00b\r\n\r\n`, 400, 124],
      [
        'two lengths', `POST /logEvents HTTP/1.1\r\n${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{"a":1}`, 400,
        124
      ],
      [
        'a length and chunks',
        `POST /logEvents HTTP/1.1\r\n${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400, 124
      ],
      ['headers without an end', `GET /health/live HTTP/1.1\r\n${head}X-A: ${'a'.repeat(20_000)}\r\n\r\n`, 431, 134],
      [
        'more headers than fit',
        'GET /health/live ' +
          `HTTP/1.1\r\n${head}${Array.from({ length: 1_000 }, (_, i) => `X-${i}: ${'a'.repeat(20)}\r\n`).join('')}\r\n`,
        431, 134
      ]
    ]
    for (const [name, text, status, code] of cases) {
      const answer = await askRaw(url, text)
      t.equal(answer.status, status, name)
      t.match(
        JSON.parse(answer.body.replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, '')),
        { error: { code, message: String } },
        name
      )
      t.match(
        answer.headers,
        {
          'access-control-allow-origin': '*',
          'access-control-expose-headers': /Retry-After.*X-Budget-Warning/,
          'content-type': /^application\/json/,
          connection: 'close'
        },
        name
      )
    }
    t.equal((await fetch(`${url}/health/live`)).status, 200)
  })
})

t.test('what is refused is refused before it is read', async t => {
  const gateway = await startGateway(t)
  const token = await gateway.token()
  /** Sends the head of a request, and no byte of its body. */
  const head = async (method: string, path: string, ...lines: string[]) => {
    const start = `${method} ${path} HTTP/1.1`
    const fields = ['Host: x', 'Origin: https://shop.example', 'Content-Type: application/json', ...lines]
    const { status, headers, body } = await askRaw(gateway.url, `${[start, ...fields].join('\r\n')}\r\n\r\n`)
    t.equal(headers['access-control-allow-origin'], '*')
    return { status, code: (JSON.parse(body) as { error: { code: number } }).error.code }
  }
  const auth = `Authorization: Bearer ${token}`
  t.same(await head('POST', '/nothing', 'Content-Length: 1000'), { status: 404, code: 140 }, 'an unknown path')
  t.same(await head('PUT', '/metric', 'Content-Length: 1000'), { status: 405, code: 141 }, 'a wrong method')
  t.same(
    await head('POST', '/logEvents', 'Content-Length: 10000000000', auth),
    { status: 413, code: 130 },
    'a length over the limit'
  )
  t.same(
    await head('POST', '/logEvents', 'Content-Length: 10000000000'),
    { status: 413, code: 130 },
    'a length over the limit, before the token is asked for'
  )
  t.same(
    await head('POST', '/logEvents', 'Content-Length: 1000', 'Authorization: Bearer forged'),
    { status: 401, code: 111 },
    'a forged token in the header'
  )
  t.same(
    await head('POST', '/logEvents?accessToken=forged', 'Content-Length: 1000'),
    { status: 401, code: 111 },
    'a forged token in the query'
  )
  t.same(
    await head('POST', '/logEvents', 'Content-Length: 1000', auth, 'Content-Encoding: compress'),
    { status: 415, code: 131 },
    'an unknown encoding'
  )
  t.same(
    await head('POST', '/token', 'Content-Length: 5000000'), { status: 413, code: 130 }, 'the limit of another route'
  )

  t.test('a token in the body is judged before the rest of the body', async t => {
    await check(
      t,
      await send(gateway, '/logEvents', JSON.stringify({ accessToken: 'forged', logEvents: 5 }), {
        'content-type': 'text/plain'
      }),
      401,
      111
    )
    await check(
      t,
      await send(gateway, '/logEvents', JSON.stringify({ logEvents: 5 }), { 'content-type': 'text/plain' }),
      403,
      110
    )
    await check(
      t,
      await send(gateway, '/logEvents', gzipSync(JSON.stringify({ accessToken: 'forged', logEvents: 5 })), {
        'content-encoding': 'gzip'
      }),
      401,
      111
    )
  })
})

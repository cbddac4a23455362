import { gzipSync } from 'node:zlib'
import t from 'tap'
import { BACKENDS, eventually, startGateway } from '../helpers/app.js'

const NOW = Date.now()
const DAY = 24 * 3_600_000
const ORIGIN = { origin: 'https://shop.example' }

for (const backend of BACKENDS) {
  t.test(`bad input, ${backend}`, async t => {
    const { url, post, token, sandbox } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '0' }, backend)
    const authorization = `Bearer ${await token()}`
    const headers = { authorization, ...ORIGIN }
    const metric = (...MetricData: unknown[]) => ({ params: { Namespace: 'bad', MetricData } })
    const logs = (...logEvents: unknown[]) => ({ logGroupName: '/bad', logStreamName: 's', logEvents })

    async function check (response: Response) {
      t.equal(response.headers.get('access-control-allow-origin'), '*', 'CORS headers')
      t.match(response.headers.get('content-type'), /^application\/json/)
      return { status: response.status, ...await response.json() as { error: { code: number, message: string } } }
    }

    t.test('requests that are refused whole', async t => {
      const bad: Array<[string, unknown, number, number, RegExp]> = [
        ['/logEvents', '{"logGroupName":', 400, 120, /JSON/],
        ['/logEvents', '', 400, 120, /JSON/],
        ['/logEvents', 'null', 400, 121, /body must be object/],
        ['/logEvents', '[]', 400, 121, /body must be object/],
        ['/logEvents', '{"__proto__":{"a":1},"logGroupName":"x"}', 400, 120, /JSON/],
        ['/logEvents', { ...logs({ message: 'm' }), extra: 1 }, 400, 121, /unknown field "extra"/],
        ['/logEvents', { logStreamName: 's', logEvents: [{ message: 'm' }] }, 400, 121, /logGroupName/],
        ['/logEvents', { ...logs({ message: 'm' }), logGroupName: 5 }, 400, 121, /body.logGroupName must be string/],
        ['/logEvents', { ...logs({ message: 'm' }), logGroupName: '' }, 400, 121, /logGroupName must not be empty/],
        ['/logEvents', { ...logs({ message: 'm' }), logGroupName: 'a b' }, 400, 121, /logGroupName must be made of/],
        ['/logEvents', { ...logs({ message: 'm' }), logStreamName: 'a:b' }, 400, 121, /logStreamName must not contain/],
        ...['\u001b[2K', 'a\u0000', 'a\nb', '\u009b2K', 'a\u007f', '\u202eevil', 'a\u2066b'].map(logStreamName =>
          [
            '/logEvents',
            { ...logs({ message: 'm' }), logStreamName },
            400,
            121,
            /logStreamName must not contain control characters/
          ] as [string, object, number, number, RegExp]),
        ['/logEvents', logs(), 400, 121, /body.logEvents must NOT have fewer than 1 items/],
        [
          '/logEvents',
          { ...logs(), logEvents: Array(10_001).fill(0) },
          400,
          121,
          /body.logEvents must NOT have more than 10000 items/
        ],
        [
          '/metric',
          { params: { Namespace: 'bad', MetricData: Array(10_001).fill(0) } },
          400,
          121,
          /MetricData must NOT have more than 10000 items/
        ],
        ['/logEvents', { ...logs(), logEvents: 'x' }, 400, 121, /body.logEvents must be array/],
        ['/metric', { params: { MetricData: [{ MetricName: 'm', Value: 1 }] } }, 400, 121, /Namespace/],
        [
          '/metric',
          { params: { Namespace: 'AWS/EC2', MetricData: [{ MetricName: 'm', Value: 1 }] } },
          400,
          121,
          /params.Namespace must not start with "AWS\/"/
        ],
        [
          '/metric',
          { params: { Namespace: '', MetricData: [{ MetricName: 'm', Value: 1 }] } },
          400,
          121,
          /params.Namespace must not be empty/
        ],
        ['/metric', { params: [] }, 400, 121, /body.params must be object/],
        ['/metric', {}, 400, 121, /params/]
      ]
      for (const [path, body, status, code, message] of bad) {
        t.match(
          await check(await post(path, body, headers)),
          { status, error: { code, message } },
          `${path} ${JSON.stringify(body).slice(0, 60)}`
        )
      }
    })

    t.test('requests of which every item is bad', async t => {
      const bad: Array<[string, unknown, string]> = [
        ['/logEvents', logs({ message: 5 }), 'invalid-item'],
        ['/logEvents', logs({ message: 'm', level: 1 }), 'invalid-item'],
        ['/logEvents', logs({ message: 'm', timestamp: NOW - 15 * DAY }), 'too-old'],
        ['/logEvents', logs({ message: 'm', timestamp: NOW + DAY }), 'too-new'],
        ['/logEvents', logs({ message: 'x'.repeat(1_048_551) }), 'too-large'],
        ['/metric', metric({ MetricName: 'm', Value: '1' }), 'invalid-value'],
        ['/metric', '{"params":{"Namespace":"bad","MetricData":[{"MetricName":"m","Value":1e999}]}}', 'invalid-value'],
        ['/metric', metric({ MetricName: 'm', Value: 2 ** 361 }), 'invalid-value'],
        ['/metric', metric({ MetricName: 'm', Value: 1e-120 }), 'invalid-value'],
        ['/metric', metric({ MetricName: 'm', Values: [1, -1e-120] }), 'invalid-value'],
        ['/metric', metric({ MetricName: 'm', Values: [1], Counts: [1e-120] }), 'invalid-value'],
        [
          '/metric',
          metric({ MetricName: 'm', StatisticValues: { SampleCount: 2, Sum: 1e-120, Minimum: 0, Maximum: 1 } }),
          'invalid-value'
        ],
        ['/metric', metric({ MetricName: 'm', Values: Array(151).fill(1) }), 'invalid-value'],
        [
          '/metric',
          metric({
            MetricName: 'm', Value: 1, Dimensions: Array.from({ length: 31 }, (_, i) => ({ Name: `n${i}`, Value: 'v' }))
          }),
          'invalid-dimension'
        ],
        [
          '/metric',
          metric({ MetricName: 'm', Value: 1, Dimensions: [{ Name: 'a', Value: '  ' }] }),
          'invalid-dimension'
        ],
        ['/metric', metric({ MetricName: '', Value: 1 }), 'invalid-name'],
        ['/metric', metric(null), 'invalid-item']
      ]
      for (const [path, body, reason] of bad) {
        t.match(
          await check(await post(path, body, headers)),
          { status: 400, error: { code: 122 }, accepted: 0, rejected: [{ index: 0, reason }] },
          JSON.stringify(body).slice(0, 80)
        )
      }
    })

    t.test('a bad item never takes the good ones of its request with it', async t => {
      const answer = await post(
        '/logEvents', logs({ message: 'good 1' }, { message: '' }, { message: 'good 2' }, null), headers
      )
      t.equal(answer.status, 201)
      t.match(await answer.json(), {
        accepted: 2,
        rejected: [
          { index: 1, reason: 'invalid-item', message: /logEvents\[1\]/ }, { index: 3, reason: 'invalid-item' }
        ]
      })
      await eventually(() => sandbox.ledger().events === 2 ? true : undefined)
      t.same([...sandbox.items('/bad')].map(({ message }) => message), ['good 1', 'good 2'])
    })

    t.test('a request without a body lacks its token, whatever content type it names', async t => {
      for (const type of ['application/json', 'text/plain', 'application/x-ndjson']) {
        const nothing = (path: string, more: Record<string, string> = {}) =>
          fetch(url + path, { method: 'POST', headers: { ...ORIGIN, 'content-type': type, ...more } })
        for (const path of ['/metric', '/metrics', '/logEvents']) {
          if (path !== '/logEvents' && type === 'application/x-ndjson') continue
          t.match(await check(await nothing(path)), { status: 403, error: { code: 110 } }, `${path} ${type}`)
        }
        if (type !== 'application/x-ndjson') {
          t.match(await check(await nothing('/token')), { status: 403, error: { code: 100 } }, `/token ${type}`)
        }
      }
      t.match(
        await check(await fetch(`${url}/token`, {
          method: 'POST',
          body: gzipSync(''),
          headers: { ...ORIGIN, 'content-type': 'application/json', 'content-encoding': 'gzip' }
        })),
        { status: 403, error: { code: 100 } },
        'compressed'
      )
      t.match(
        await check(await post('/metric', '', headers)),
        { status: 400, error: { code: 120 } },
        'with a token it is a body that is no JSON'
      )
    })

    t.test('a data point with a tiny value among good ones is refused alone, and at once', async t => {
      const points = Array.from({ length: 40 }, (_, i) => ({ MetricName: 'm', Value: i === 7 ? 1e-120 : i }))
      t.match(await (await post('/metric', metric(...points), headers)).json(), {
        accepted: 39, rejected: [{ index: 7, reason: 'invalid-value', message: /2\^-360/ }]
      })
      t.equal(
        (
          await post('/metric', metric({ MetricName: 'm', Value: 2 ** -360 }, { MetricName: 'm', Value: -0 }), headers)
        ).status,
        201,
        'the nearest that CloudWatch takes, and zero'
      )
    })

    t.test('a timestamp with a fraction is rounded, alone and in a request that is stored as it came', async t => {
      const sent = [NOW - 60_000 + 0.4, `${NOW - 50_000}.6`, NOW - 40_000 + 0.5]
      const few = { ...logs(...sent.map(timestamp => ({ message: 'few', timestamp }))), logGroupName: '/fraction' }
      const many = {
        ...logs(...Array.from({ length: 12 }, (_, i) => ({ message: 'many', timestamp: sent[i % 3]! }))),
        logGroupName: '/fraction'
      }
      t.match(await (await post('/logEvents', few, headers)).json(), { accepted: 3, rejected: [] })
      t.match(await (await post('/logEvents', many, headers)).json(), { accepted: 12, rejected: [] })
      const events = await eventually(() => {
        const delivered = [...sandbox.items('/fraction')]
        return delivered.length === 15 ? delivered : undefined
      })
      t.same(new Set(events.map(({ timestamp }) => timestamp)), new Set([NOW - 60_000, NOW - 49_999, NOW - 39_999]))
    })

    t.test('bodies over the limit, wrong content types, unknown routes, wrong methods', async t => {
      t.match(await check(await post('/logEvents', logs({ message: 'x'.repeat(3_000_000) }), headers)), {
        status: 413, error: { code: 130 }
      })
      t.match(await check(await post('/logEvents', '<xml/>', { ...headers, 'content-type': 'application/xml' })), {
        status: 415, error: { code: 131 }
      })
      t.match(await check(await fetch(`${url}/nothing?accessToken=secret`, { headers: ORIGIN })), {
        status: 404, error: { code: 140 }
      })
      const wrong = await fetch(`${url}/metric`, { method: 'PUT', headers: ORIGIN })
      t.equal(wrong.headers.get('allow'), 'POST')
      t.match(await check(wrong), { status: 405, error: { code: 141 } })
      t.match(await check(await fetch(`${url}/test`, { method: 'POST', headers: ORIGIN })), {
        status: 405, error: { code: 141 }
      })
    })

    t.test('tokens in header, body and query', async t => {
      const mine = authorization.slice(7)
      const other = await token()
      const body = logs({ message: 'm' })
      const query = (value: string) => `/logEvents?accessToken=${encodeURIComponent(value)}`
      t.equal((await post('/logEvents', body, { authorization })).status, 201, 'header')
      t.equal((await post('/logEvents', { ...body, accessToken: mine })).status, 201, 'body')
      t.equal((await post(query(mine), body)).status, 201, 'query')
      t.equal(
        (await post(query(mine), { ...body, accessToken: mine }, { authorization })).status, 201, 'all three, the same'
      )
      const invalid = { status: 401, error: { code: 111 } }
      t.match(
        await check(await post('/logEvents', { ...body, accessToken: other }, headers)),
        invalid,
        'header and body differ'
      )
      t.match(await check(await post(query(other), body, headers)), invalid, 'header and query differ')
      t.match(
        await check(await post(query(other), { ...body, accessToken: mine }, ORIGIN)), invalid, 'query and body differ'
      )
      t.match(
        await check(await post(`${query(mine)}&accessToken=${mine}`, body, ORIGIN)), invalid, 'twice in the query'
      )
      t.match(
        await check(await post('/logEvents', body, { ...ORIGIN, authorization: 'Basic abc' })),
        invalid,
        'another scheme'
      )
    })

    t.test('headers out of range', async t => {
      t.match(
        await check(await post('/logEvents', logs({ message: 'm' }), {
          ...headers, 'idempotency-key': 'k'.repeat(256)
        })),
        { status: 400, error: { code: 123, message: /idempotency-key/ } }
      )
    })
  })
}

import { writeFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { BACKENDS, eventually, startGateway, type Gateway } from '../helpers/app.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

interface Answer {
  accepted: number
  rejected: Array<{ index: number, reason: string, message: string }>
  error?: { code: number, message: string }
}

/** Posts with a token of its own, and asks the sandbox what came. */
async function client ({ post, token, sandbox }: Gateway) {
  const authorization = `Bearer ${await token()}`
  const send = async (path: string, body: object, headers: Record<string, string> = {}) => {
    const response = await post(path, body, { authorization, ...headers })
    return { status: response.status, ...await response.json() as Answer }
  }
  return {
    send,
    log: async (messages: unknown[], more: object = {}, headers = {}) =>
      await send(
        '/logEvents',
        {
          logGroupName: '/rules',
          logStreamName: 's',
          logEvents: messages.map(message => typeof message === 'string' ? { message } : message),
          ...more
        },
        headers
      ),
    metric: async (Namespace: string, MetricData: unknown[], more: object = {}) =>
      await send('/metric', { params: { Namespace, MetricData }, ...more }),
    events: async (count: number) => await eventually(() => {
      const events = [...sandbox.items('/rules')]
      return events.length >= count ? events : undefined
    }),
    series: async (namespace: string, points: number) => await eventually(() => {
      const series = sandbox.series(namespace)
      return series.flatMap(
        ({ buckets }) => buckets.flatMap(({ counts }) => counts)
      ).reduce((a, b) => a + b, 0) >= points
        ? series
        : undefined
    })
  }
}

const datum = (MetricName: string, dimensions: Record<string, string> = {}) => ({
  MetricName, Value: 1, Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value }))
})

for (const backend of BACKENDS) {
  t.test(`clocks, ${backend}`, async t => {
    const gateway = await startGateway(t, {}, backend)
    const { log, metric, send, events, series } = await client(gateway)

    t.test('sentAt moves timestamps to the server\'s clock', async t => {
      const now = Date.now()
      const wrong = now - 400 * DAY
      const answer = await log(
        [
          { message: 'late', timestamp: wrong - HOUR },
          { message: 'none' },
          { message: 'older', timestamp: wrong - 15 * DAY },
          { message: 'newer', timestamp: wrong + 3 * HOUR }
        ],
        { sentAt: wrong }
      )
      t.match(answer, {
        status: 201, accepted: 2, rejected: [{ index: 2, reason: 'too-old' }, { index: 3, reason: 'too-new' }]
      })
      const [late, none] = (await events(2)).sort((a, b) => a.timestamp - b.timestamp)
      t.ok(Math.abs(late!.timestamp - (now - HOUR)) < 60_000)
      t.ok(Math.abs(none!.timestamp - now) < 60_000, 'what has no timestamp has the server\'s time')

      t.match(
        await metric('clock', [{ ...datum('m'), Timestamp: new Date(now + 5 * DAY).toISOString() }], {
          sentAt: new Date(now + 5 * DAY).toISOString()
        }),
        { status: 201, accepted: 1 }
      )
      t.equal((await series('clock', 1)).length, 1)
    })

    t.test('a difference of up to a minute, and no sentAt, move nothing', async t => {
      const timestamp = Date.now() - HOUR
      await log([{ message: 'exact', timestamp }], { sentAt: Date.now() - 30_000 })
      const event = (await events(3)).find(({ message }) => message === 'exact')
      t.equal(event!.timestamp, timestamp)
      t.match(await log([{ message: 'x', timestamp: Date.now() - 15 * DAY }]), {
        status: 400, rejected: [{ reason: 'too-old' }]
      })
    })

    t.test('each document of JSON lines has a clock of its own', async t => {
      const now = Date.now()
      const document = (message: string, days: number) =>
        JSON.stringify({
          logGroupName: '/rules',
          logStreamName: 's',
          sentAt: now - days * DAY,
          logEvents: [{ message, timestamp: now - days * DAY }]
        })
      const lines = [document('line one', 100), document('line two', 200)].map(line => `${line}\n`).join('')
      const response = await gateway.post('/logEvents', lines, {
        authorization: `Bearer ${await gateway.token()}`,
        'content-type': 'application/x-ndjson',
        'idempotency-key': 'clocks'
      })
      t.match(await response.json(), { accepted: 2, rejected: [] })
      const delivered = (await events(5)).filter(({ message }) => message.startsWith('line'))
      t.same(delivered.map(({ message }) => message).sort(), ['line one', 'line two'])
      for (const { timestamp } of delivered) t.ok(Math.abs(timestamp - now) < 60_000)
    })

    t.test('a sentAt that is no time is refused', async t => {
      for (const sentAt of [null, 'now', -1, {}, true]) {
        t.match(await log(['x'], { sentAt }), { status: 400, error: { code: 121, message: /^sentAt must be/ } })
        t.match(await metric('clock', [datum('m')], { sentAt }), {
          status: 400, error: { code: 121, message: /^sentAt must be/ }
        })
      }
      t.match(await send('/metrics', { params: { Namespace: 'clock', MetricData: [datum('m')], sentAt: 1 } }), {
        status: 400, error: { code: 121 }
      })
    })
  })

  t.test(`redaction and context, ${backend}`, async t => {
    const gateway = await startGateway(t, {
      REDACT_FIELDS: 'password, authorization',
      REDACT_PATTERNS: 'email, card-number,bearer-token',
      REDACT_URL_QUERIES: 'on',
      ADD_IP: 'on',
      ADD_USER_AGENT: 'on',
      ADMIN_TOKEN: 'admin-token-of-the-tests'
    }, backend)
    const { log, metric, events, series } = await client(gateway)
    const firefox = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0' }

    t.test('nothing that is to be redacted reaches CloudWatch', async t => {
      const messages = [
        'mail to bob@example.com from https://shop.example/a?token=x',
        JSON.stringify({ user: { Password: 'hunter2' }, card: 4111111111111111, _ip: '6.6.6.6', note: 'kept' }),
        'password=hunter2 Authorization: Bearer abcdefghijklmnop0123',
        'password[]=hunter2 <password>hunter2</password> password\u00a0=\u00a0hunter2 password:\nhunter2 ' +
          '"pass\\u0077ord":"hunter2" 4111.1111.1111.1111 _ip="6.6.6.6"'
      ]
      t.match(await log(messages, {}, firefox), { status: 201, accepted: 4 })
      t.same((await events(4)).map(({ message }) => message).sort(), [
        'mail to [redacted] from https://shop.example/a _ip="127.0.0.0/24" _userAgent="Firefox 128"',
        'password=[redacted] Authorization: [redacted] _ip="127.0.0.0/24" _userAgent="Firefox 128"',
        'password[]=[redacted] <password>[redacted]</password> password\u00a0=\u00a0[redacted] password:\n[redacted] ' +
          '"pass\\u0077ord":"[redacted]" [redacted] _ip="127.0.0.0/24" _ip="127.0.0.0/24" _userAgent="Firefox 128"',
        '{"user":{"Password":"[redacted]"},"card":"[redacted]","_ip":"127.0.0.0/24","note":"kept",' +
          '"_userAgent":"Firefox 128"}'
      ])
    })

    t.test('nor as a metric', async t => {
      t.match(
        await metric('private', [
          datum('login bob@example.com', {
            Page: '/pay?card=4111111111111111',
            password: 'hunter2',
            'a@example.com': 'x',
            Ip: '6.6.6.6'
          })
        ]),
        { status: 201 }
      )
      const [found] = await series('private', 1)
      t.match(JSON.stringify(found), /127\.0\.0\.0\/24/)
      t.notMatch(JSON.stringify(found), /bob|4111|hunter2|@|6\.6\.6\.6/)
      t.match(JSON.stringify(found), /"\/pay"/)
    })

    t.test('what has become too large is rejected', async t => {
      t.match(await log(['a@b.cc '.repeat(149_000), 'fits']), {
        status: 201,
        accepted: 1,
        rejected: [{
          index: 0, reason: 'too-large', message: /^logEvents\[0\]\.message, after redaction and additions,/
        }]
      })
      t.match(await metric('private', [datum('a@b.cc '.repeat(36))]), {
        status: 400, rejected: [{ reason: 'invalid-name' }]
      })
      const many = Object.fromEntries(Array.from({ length: 29 }, (_, i) => [`d${i}`, 'x']))
      t.match(await metric('private', [datum('m', many)]), { status: 400, rejected: [{ reason: 'invalid-dimension' }] })
    })
  })

  t.test(`dimensions and series, ${backend}`, async t => {
    const gateway = await startGateway(t, {
      ALLOWED_DIMENSIONS: 'Page,User',
      REQUIRED_DIMENSIONS: 'Page',
      UNKNOWN_DIMENSIONS: 'fold',
      MAX_SERIES_PER_METRIC: '10',
      MAX_METRICS_PER_NAMESPACE: '5',
      ADMIN_TOKEN: 'admin-token-of-the-tests'
    }, backend)
    const { metric, series } = await client(gateway)

    t.test('a missing dimension is refused, an unknown one folded', async t => {
      t.match(await metric('dims', [datum('m', { Page: '/', Session: 'abc' }), datum('m', { User: 'u' })]), {
        status: 201, accepted: 1, rejected: [{ index: 1, reason: 'invalid-dimension', message: /"Page"/ }]
      })
      const [found] = await series('dims', 1)
      t.match(JSON.stringify(found), /Session.*__other__/)
    })

    t.test('a flood of values makes a bounded number of series, and no error', async t => {
      const flood = async (from: number) =>
        await metric(
          'flood', Array.from({ length: 100 }, (_, i) => datum('m', { Page: `/${i % 2}`, User: `u${from + i}` }))
        )
      for (const answer of await Promise.all([flood(0), flood(100), flood(200)])) {
        t.match(answer, { status: 201, accepted: 100, rejected: [] })
      }
      const found = await series('flood', 300)
      t.ok(found.length >= 11 && found.length <= 10 + 5, `${found.length} series`)
      t.match(JSON.stringify(found), /"\/0".*__other__/)
    })

    t.test('a flood of names, too', async t => {
      t.match(await metric('names', Array.from({ length: 100 }, (_, i) => datum(`m${i}`, { Page: '/' }))), {
        status: 201, accepted: 100
      })
      t.equal((await series('names', 100)).length, 6)
    })

    t.test('it is counted', async t => {
      const response = await fetch(`${gateway.url}/metrics`, {
        headers: { authorization: 'Bearer admin-token-of-the-tests' }
      })
      const text = await response.text()
      for (const [cause, least] of [['unknown-dimension', 1], ['max-series', 200], ['max-metrics', 90]] as const) {
        const count = Number(
          new RegExp(`folded_total\\{application="default",cause="${cause}"\\} (\\d+)`).exec(text)?.[1]
        )
        t.ok(count >= least, `${cause}: ${count}`)
      }
    })
  })
}

t.test('each application has its own rules', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'postman-apps-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'apps.json')
  const application = (id: string, rules: object) => ({
    id,
    clientSecrets: [`client-secret-of-${id}-tests`],
    allowedOrigins: ['*'],
    namespaces: ['*'],
    logGroups: ['*'],
    ...rules
  })
  const applications = [
    application('open', {}),
    application('strict', {
      redaction: { patterns: ['email'] }, dimensions: { allowed: ['Page'], unknown: 'refuse' }, maxSeriesPerMetric: 2
    })
  ]
  await writeFile(file, JSON.stringify({ applications }))
  const { createClientToken } = await import('../../lib/access/legacy-client-token.js')
  const gateway = await startGateway(t, { APPS_FILE: file })
  const as = async (id: string) => await client({
    ...gateway,
    token: async () =>
      (
        await (await gateway.post('/token', {
          clientToken: createClientToken(`client-secret-of-${id}-tests`, Date.now(), id)
        })).json() as { accessToken: string }
      ).accessToken
  })
  const [open, strict] = [await as('open'), await as('strict')]
  await open.log(['bob@example.com'])
  await strict.log(['eve@example.com'])
  t.same((await open.events(2)).map(({ message }) => message).sort(), ['[redacted]', 'bob@example.com'])
  t.match(await open.metric('apps', [datum('m', { User: 'u' })]), { status: 201 })
  t.match(await strict.metric('apps', [datum('m', { User: 'u' })]), {
    status: 400, rejected: [{ reason: 'invalid-dimension' }]
  })
  t.match(await strict.metric('own', ['/a', '/b', '/c', '/d'].map(Page => datum('m', { Page }))), { status: 201 })
  t.equal((await strict.series('own', 4)).length, 3)
  t.match(await open.metric('free', ['/a', '/b', '/c', '/d'].map(Page => datum('m', { Page }))), { status: 201 })
  t.equal((await open.series('free', 4)).length, 4)
})

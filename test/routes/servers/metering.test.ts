import { request } from 'node:http'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { createClientToken } from '../../../lib/access/legacy-client-token.js'
import { BACKENDS, CLIENT_SECRET_KEY, eventually, startGateway } from '../../helpers/app.js'
import {
  ACCESS_KEY, checkBalance, drained, idsOf, startMeteredGateway, type MeteredGateway
} from '../../helpers/metered-gateway.js'
import { accessLogLine, accessLogLines, envelope, pack, subscriptionEvent } from '../../helpers/metering.js'

const MIB = 1_048_576

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const GZIP = { authorization: `Bearer ${ACCESS_KEY}`, 'content-type': 'application/gzip' }

async function postBytes (
  { url }: MeteredGateway, path: string, body: Buffer, headers: Record<string, string>
): Promise<Response> {
  return await fetch(url + path, { method: 'POST', headers, body: new Uint8Array(body) })
}

for (const backend of BACKENDS) {
  t.test(`access logs, Firehose and bad input, ${backend}`, async t => {
    const gateway = await startMeteredGateway(t, {}, backend)
    await t.test('access logs', t => accessLogs(t, gateway))
    await t.test('bad input', t => badInput(t, gateway))
    await t.test('Firehose', t => firehose(t, gateway))
    await t.test('an event that the platform refuses is kept and costs no other', t => refusedEvent(t, gateway))
  })

  t.test(`a spool that is full is said, and nothing is lost, ${backend}`, async t => {
    const full = await startMeteredGateway(t, { SPOOL_MAX_BYTES: String(MIB), FORWARDER: 'off' }, backend)
    const records = Array.from({ length: 8 }, (_, record) =>
      base64(accessLogLines(500, { stage: `full ${record}` }).join('\n')))
    const answers = []
    for (const [index, record] of records.entries()) answers.push(await full.postFirehose(`full ${index}`, [record]))
    const refused = answers.filter(({ status }) => status === 503)
    t.ok(refused.length > 0)
    t.ok(refused[0]!.headers.has('retry-after'))
    t.match(await refused[0]!.json(), { errorMessage: /store/ })
  })

  t.test(`calls are sent in their order, and a platform that wants another key is told and does not take the gateway out of service, ${backend}`, async t => {
    const gateway = await startMeteredGateway(t, { METERING_CONCURRENCY: '1', FORWARDER_CONCURRENCY: '1' }, backend)
    await gateway.postLogs(subscriptionEvent(accessLogLines(30)))
    t.same(
      (await gateway.metered(30)).map(({ correlationId }) => correlationId),
      Array.from({ length: 30 }, (_, index) => `X${index}`)
    )

    await drained(gateway)
    gateway.platform.setApiKey('another')
    await gateway.postLogs(subscriptionEvent(accessLogLines(2, { stage: 'key' })))
    const health = await eventually(async () => {
      const answer = await fetch(`${gateway.url}/health/ready`)
      const body = await answer.json() as { status: string, failing: object[] }
      return body.failing.length > 0 ? { code: answer.status, ...body } : undefined
    })
    t.match(health, { code: 200, status: 'ok', failing: [{ part: 'metering', class: 'denied' }] })
    t.match(await gateway.app.spool.depth('metering'), { items: 2 }, 'the calls wait')
  })

  t.test(`METERING=on meters each call of an application, ${backend}`, async t => {
    const gateway = await startMeteredGateway(t, { METERING: 'on', ROUTE_PREFIX: '/t' }, backend)
    const { post, url } = gateway
    const { accessToken } = await (await post('/t/token', {
      clientToken: createClientToken(CLIENT_SECRET_KEY, Date.now(), 'salt')
    })).json() as { accessToken: string }
    const metric = { params: { Namespace: 'n', MetricData: [{ MetricName: 'm', Value: 1 }] } }
    t.equal((await post(`/t/metric?accessToken=${accessToken}`, metric)).status, 201)
    t.equal(
      (await post('/t/metric', { params: { Namespace: 'n', MetricData: [] } }, {
        authorization: `Bearer ${accessToken}`
      })).status,
      400
    )
    t.equal((await post('/t/metric', metric)).status, 403, 'of nobody')
    t.equal((await fetch(`${url}/t/test`)).status, 200)
    t.equal((await fetch(`${url}/health/live`)).status, 200)
    const events = (await gateway.metered(3)).sort((a, b) =>
      String(a.url).localeCompare(String(b.url)) || Number(a.responseCode) - Number(b.responseCode))
    await drained(gateway)
    t.equal(gateway.platform.ledger().metered, 3)
    t.match(events, [
      {
        application: 'default',
        method: 'POST',
        url: '/t/metric',
        responseCode: 201,
        requestMessageSize: Number,
        responseMessageSize: Number,
        gatewayLatency: Number
      },
      { application: 'default', url: '/t/metric', responseCode: 400 },
      { application: 'default', url: '/t/token', responseCode: 201 }
    ])
    t.notMatch(JSON.stringify(events), /accessToken|127\.0\.0\.1/, 'neither tokens nor addresses')
  })
}

t.test('without an access key the routes do not exist, and what needs a platform stops the start', async t => {
  const { post } = await startGateway(t)
  for (const path of ['/metering/access-logs', '/metering/firehose', '/authorize']) {
    t.equal((await post(path, {})).status, 404, path)
  }
  const needy: Array<Record<string, string>> = [
    { METERING: 'on' },
    { ENTITLEMENT: 'on' },
    { AUTHORIZE_ROUTE: 'on' },
    { METERING_ACCESS_KEY: ACCESS_KEY }
  ]
  for (const environment of needy) {
    await t.rejects(
      startGateway({ teardown: handler => t.teardown(handler) }, environment), /REVENIUM_PLATFORM_API_KEY is missing/
    )
  }
})

/** Announces a body that never comes. */
function announce (url: string, length: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}/metering/firehose`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': length, 'x-amz-firehose-access-key': ACCESS_KEY }
    }, answer => {
      resolve(answer.statusCode!)
      asked.destroy()
    })
    asked.on('error', reject)
    asked.flushHeaders()
  })
}

/** Forgets what the suite before has left at the platform and in the dead letters. */
async function startAnew (gateway: MeteredGateway): Promise<void> {
  await drained(gateway)
  gateway.platform.reset()
  await gateway.app.spool.deadLetters.delete({ kind: 'metering' })
}

async function accessLogs (t: Test, gateway: MeteredGateway): Promise<void> {
  await t.test('the calls of a subscription are metered once, however often they come', async t => {
    const lines = accessLogLines(20)
    const answer = await gateway.postLogs(subscriptionEvent([...lines, lines[0]!]))
    t.equal(answer.status, 200)
    t.same(await answer.json(), { accepted: 20, duplicates: 1, skipped: 0, unreadable: 0 })
    const events = await gateway.metered(20)
    t.match(events[0], {
      method: 'GET',
      url: '/orders/7',
      application: 'acme',
      responseCode: 200,
      backendLatency: 31,
      responseMessageSize: 1024
    })
    t.equal((await gateway.postLogs(subscriptionEvent(lines))).status, 200)
    await drained(gateway)
    t.equal(gateway.platform.ledger().metered, 20)
    t.equal(gateway.platform.ledger().calls.meter, 20, 'what is known to be metered is not even sent')
  })

  await t.test('the envelope may come as its gzip bytes, and any body compressed', async t => {
    const bytes = Buffer.from(pack(envelope(accessLogLines(3, { stage: 'gzip' }))), 'base64')
    t.match(await (await postBytes(gateway, '/metering/access-logs', bytes, GZIP)).json(), { accepted: 3 })
    const event = gzipSync(JSON.stringify(subscriptionEvent(accessLogLines(2, { stage: 'encoded' }))))
    const encoded = await postBytes(gateway, '/metering/access-logs', event, {
      ...GZIP, 'content-type': 'application/json', 'content-encoding': 'gzip'
    })
    t.match(await encoded.json(), { accepted: 2 })
    await gateway.metered(25)
  })

  await t.test('a probe is answered and stores nothing', async t => {
    const answer = await gateway.postLogs({
      awslogs: {
        data: pack({
          messageType: 'CONTROL_MESSAGE', logEvents: [{ id: '', timestamp: 0, message: 'CWL CONTROL MESSAGE' }]
        })
      }
    })
    t.equal(answer.status, 200)
    t.same(await answer.json(), { accepted: 0, duplicates: 0, skipped: 0, unreadable: 0 })
  })

  await t.test('calls that were turned away, or have nobody to be billed to, are skipped', async t => {
    const answer = await gateway.postLogs(subscriptionEvent([
      accessLogLine({ extendedRequestId: 'S1', status: '403', integrationStatus: '-', integrationLatency: '-' }),
      accessLogLine({ extendedRequestId: 'S2', clientId: '-', principalId: '-' })
    ]))
    t.same(await answer.json(), { accepted: 0, duplicates: 0, skipped: 2, unreadable: 0 })
  })

  await t.test('only the access key opens the routes', async t => {
    const event = subscriptionEvent([accessLogLine({ extendedRequestId: 'nobody' })])
    for (const headers of [
      {},
      { authorization: `Bearer ${ACCESS_KEY}x` },
      { authorization: ACCESS_KEY },
      { 'x-amz-firehose-access-key': '' }
    ] as Array<Record<string, string>>) {
      const answer = await gateway.postLogs(event, headers)
      t.equal(answer.status, 401)
      t.match(await answer.json(), { error: { code: 116 } })
    }
    t.equal((await gateway.postLogs(event, { 'x-amz-firehose-access-key': ACCESS_KEY })).status, 200)
  })

  await t.test('a body that is no event is refused', async t => {
    for (const body of ['{', '[]', '{}', { awslogs: 'x' }]) {
      t.equal((await gateway.postLogs(body)).status, 400, JSON.stringify(body))
    }
  })

  await drained(gateway)
  await checkBalance(t, gateway)
}

async function badInput (t: Test, gateway: MeteredGateway): Promise<void> {
  await startAnew(gateway)
  const good = Buffer.from(pack(envelope(accessLogLines(50))), 'base64')

  const payloads: Array<[name: string, data: string, message: RegExp]> = [
    ['truncated gzip', good.subarray(0, good.length / 2).toString('base64'), /breaks off/],
    ['a bomb', gzipSync(Buffer.alloc(64 * MIB)).toString('base64'), /more than \d+ bytes after decompression/],
    ['invalid base64', '!!!!', /not base64/],
    ['no gzip', base64('hello, world'), /not gzip/],
    ['no JSON', pack('nonsense'), /not JSON/],
    ['JSON of another shape', pack({ messageType: 'SOMETHING' }), /DATA_MESSAGE/]
  ]
  for (const [index, [name, data, message]] of payloads.entries()) {
    const answer = await gateway.postLogs({ awslogs: { data } })
    t.equal(answer.status, 200, name)
    t.match(await answer.json(), { accepted: 0, unreadable: 1 })
    const letters = await eventually(async () => {
      const found = await gateway.deadLetters()
      return found.length > index ? found : undefined
    })
    t.ok(letters.some(letter => message.test(letter.message)), name)
  }
  t.equal(gateway.platform.ledger().metered, 0)

  const lines = [
    accessLogLine({ extendedRequestId: 'before' }),
    'not JSON',
    accessLogLine({ extendedRequestId: 'no status', status: '-' }),
    accessLogLine({ extendedRequestId: 'control', clientId: 'a\u0007b' }),
    accessLogLine({ extendedRequestId: 'long', clientId: 'x'.repeat(10_000) }),
    accessLogLine({ extendedRequestId: 'none', clientId: undefined, principalId: undefined }),
    accessLogLine({ extendedRequestId: 'ampersand', clientId: 'a&productKey=b%' }),
    accessLogLine({ extendedRequestId: 'after' })
  ]
  t.same(await (await gateway.postLogs(subscriptionEvent(lines))).json(), {
    accepted: 3,
    duplicates: 0,
    skipped: 1,
    unreadable: 4
  })
  t.same(idsOf(await gateway.metered(3)), ['after', 'ampersand', 'before'], 'one bad line costs no other')
  await drained(gateway)
  const letters = (await gateway.deadLetters()).slice(payloads.length)
  t.same(letters.map(({ message }) => message).sort(), [
    'the client id must be printable', 'the client id must have at most 256 characters',
    'the line is not a JSON object', 'the status is missing'
  ])
  t.match(letters.map(({ line }) => line).join(), /not JSON/, 'with the line itself')
  await checkBalance(t, gateway)
}

async function firehose (t: Test, gateway: MeteredGateway): Promise<void> {
  await startAnew(gateway)

  await t.test('the answer is exactly what Firehose asks for', async t => {
    const records = [
      base64(accessLogLines(2, { stage: 'Firehose' }).join('\n') + '\n'),
      pack(envelope(accessLogLines(3, { stage: 'logs' })))
    ]
    const answer = await gateway.postFirehose('ed4acda5-034f-9f42-bba1-f29aea6d7d8f', records)
    t.equal(answer.status, 200)
    t.equal(answer.headers.get('content-type'), 'application/json')
    t.equal(answer.headers.get('content-encoding'), null)
    t.equal(answer.headers.get('x-amz-firehose-request-id'), 'ed4acda5-034f-9f42-bba1-f29aea6d7d8f')
    const text = await answer.text()
    t.equal(Number(answer.headers.get('content-length')), Buffer.byteLength(text))
    const { timestamp, ...rest } = JSON.parse(text) as { timestamp: number, requestId: string }
    t.same(rest, { requestId: 'ed4acda5-034f-9f42-bba1-f29aea6d7d8f' })
    t.ok(Number.isInteger(timestamp))
    await gateway.metered(5)
  })

  await t.test('a request that comes again is stored once, with its dead letters', async t => {
    for (let time = 0; time < 3; time++) {
      t.equal(
        (await gateway.postFirehose('again', [
          base64(accessLogLine({ extendedRequestId: 'again' })),
          '!',
          7,
          base64('no line')
        ])).status,
        200
      )
    }
    await gateway.metered(6)
    await drained(gateway)
    t.equal(gateway.platform.ledger().metered, 6)
    t.equal((await gateway.deadLetters()).length, 3)
  })

  await t.test('a record of Firehose may hold several of whatever it holds', async t => {
    const line = (extendedRequestId: string): string => accessLogLine({ extendedRequestId, stage: 'several' })
    const event = (extendedRequestId: string): string =>
      JSON.stringify(envelope([line(extendedRequestId)], { logStream: extendedRequestId }))
    const members = Buffer.concat([gzipSync(event('M1')), gzipSync(event('M2'))]).toString('base64')
    t.equal(
      (await gateway.postFirehose('several', [
        base64(line('L1') + line('L2')),
        members,
        base64(event('E1') + event('E2'))
      ])).status,
      200
    )
    await drained(gateway)
    const ids = idsOf(gateway.platform.events().map(({ body }) => body))
    t.strictSame(ids.filter(id => /^[LME][12]$/.test(String(id))), ['E1', 'E2', 'L1', 'L2', 'M1', 'M2'])
  })

  await t.test('a compressed body is read, and no record at all is fine', async t => {
    const body = gzipSync(JSON.stringify({
      requestId: 'gzip', timestamp: 1, records: [{ data: base64(accessLogLine({ extendedRequestId: 'gzip' })) }]
    }))
    const headers = {
      'content-type': 'application/json', 'content-encoding': 'gzip', 'x-amz-firehose-access-key': ACCESS_KEY
    }
    const answer = await postBytes(gateway, '/metering/firehose', body, headers)
    t.match(await answer.json(), { requestId: 'gzip' })
    t.equal(answer.status, 200)
    await gateway.metered(7)
    t.equal((await gateway.postFirehose('empty', [])).status, 200)
  })

  await t.test('5 MiB, more than other routes take, are taken', async t => {
    const line = accessLogLine({ extendedRequestId: 'large', userAgent: 'a' })
    const answer = await gateway.postFirehose(
      'large', Array.from({ length: 5 }, () => base64((line + '\n').repeat(MIB / line.length)))
    )
    t.equal(answer.status, 200)
    await gateway.metered(14)
    await drained(gateway)
    t.equal(gateway.platform.ledger().metered, 14, 'all lines are about one call')
  })

  await t.test('what cannot be taken is said in the same shape, and never with 413', async t => {
    const bad: Array<[status: number, answer: Promise<Response>]> = [
      [401, gateway.postFirehose('id', [], { 'x-amz-firehose-access-key': `${ACCESS_KEY}x` })],
      [401, gateway.postFirehose('id', [], { 'x-amz-firehose-access-key': '' })],
      [
        400,
        gateway.post('/metering/firehose', '{', {
          'x-amz-firehose-access-key': ACCESS_KEY, 'x-amz-firehose-request-id': 'id'
        })
      ],
      [
        400,
        gateway.post('/metering/firehose', { requestId: 'id', records: 'none' }, {
          'x-amz-firehose-access-key': ACCESS_KEY
        })
      ],
      [400, gateway.postFirehose('id', [], { 'content-encoding': 'gzip' })],
      [
        503,
        gateway.postFirehose(
          'id', Array(5).fill(gzipSync(Buffer.alloc(20 * MIB, ' '), { level: 1 }).toString('base64'))
        )
      ],
      [
        503,
        postBytes(gateway, '/metering/firehose', gzipSync(Buffer.alloc(65 * MIB, ' ')), {
          'content-type': 'application/json',
          'content-encoding': 'gzip',
          'x-amz-firehose-access-key': ACCESS_KEY,
          'x-amz-firehose-request-id': 'id'
        })
      ]
    ]
    for (const [status, asked] of bad) {
      const answer = await asked
      t.equal(answer.status, status)
      t.equal(answer.headers.get('content-type'), 'application/json')
      t.match(await answer.json(), { requestId: 'id', timestamp: Number, errorMessage: /./ })
    }
    t.equal(await announce(gateway.url, 65 * MIB), 503, 'a body that says it is too large')
  })

  await checkBalance(t, gateway)
}

async function refusedEvent (t: Test, gateway: MeteredGateway): Promise<void> {
  await startAnew(gateway)
  gateway.platform.faults.set([{ kind: 'answer', status: 400, message: 'no such customer', application: 'stranger' }])
  await gateway.postLogs(subscriptionEvent([
    accessLogLine({ extendedRequestId: 'a' }),
    accessLogLine({ extendedRequestId: 'b', clientId: 'stranger' }),
    accessLogLine({ extendedRequestId: 'c' })
  ]))
  t.same(idsOf(await gateway.metered(2)), ['a', 'c'])
  await drained(gateway)
  t.match(await gateway.deadLetters(), [{ message: /400.*no such customer/, line: /stranger/ }])

  gateway.platform.faults.clear()
  t.equal(await gateway.app.spool.deadLetters.redrive({ kind: 'metering' }), 1)
  t.same(idsOf(await gateway.metered(3)), ['a', 'b', 'c'], 'a redrive meters it')
  await drained(gateway)
  await checkBalance(t, gateway)
}

import { gzipSync } from 'node:zlib'
import t from 'tap'
import { lambdaContext, openHandler, queueEvent, recordedEvent } from '../helpers/lambda.js'
import {
  accessLogLine, accessLogLines, envelope, openTestPlatform, pack, subscriptionEvent
} from '../helpers/metering.js'

t.test('every line of an event is metered', async t => {
  const test = await openTestPlatform(t)
  const { handle, logged } = openHandler(test)
  t.match(await handle(subscriptionEvent(accessLogLines(25))), { received: 25, metered: 25, parked: 0 })
  t.equal(test.sandbox.ledger().metered, 25)
  t.match(logged, [{
    _aws: { CloudWatchMetrics: [{ Namespace: 'Metering', Dimensions: [['FunctionName']] }] },
    FunctionName: 'metering',
    Received: 25,
    Metered: 25,
    Duplicates: 0,
    Skipped: 0,
    Refused: 0,
    Unreadable: 0,
    Parked: 0,
    Dropped: 0,
    ConfigFaults: 0,
    Lag: Number
  }])
})

t.test('the envelope of the documentation is read; its line is no access log', async t => {
  const { handle, parking } = openHandler(await openTestPlatform(t))
  t.match(await handle({ awslogs: { data: pack(await recordedEvent('subscription-decoded')) } }), {
    received: 1, unreadable: 1, metered: 0
  })
  t.match(parking.deadLetters, [{
    v: 1,
    reason: 'unreadable',
    message: 'the line is not a JSON object',
    lines: [{ text: /^REPORT RequestId/ }]
  }])
})

t.test('a probe is answered, and nothing is metered, kept or logged', async t => {
  const test = await openTestPlatform(t)
  const { handle, parking, logged } = openHandler(test)
  t.match(await handle(subscriptionEvent(['CWL CONTROL MESSAGE'], { messageType: 'CONTROL_MESSAGE' })), { received: 0 })
  t.strictSame([parking.deadLetters, parking.parked, logged, test.sandbox.ledger().calls], [[], [], [], {}])
})

t.test('what the function itself has logged is not taken as usage', async t => {
  const test = await openTestPlatform(t)
  const { handle, logged } = openHandler(test)
  t.match(await handle(subscriptionEvent(accessLogLines(3), { logGroup: lambdaContext().logGroupName })), {
    received: 0, metered: 0
  })
  t.strictSame(logged, [])
})

t.test('a payload that cannot be read is kept for the operator, and is no failure of the function', async t => {
  const whole = gzipSync(JSON.stringify(envelope(['x'])))
  const payloads: Array<[unknown, RegExp]> = [
    ['!!!', /not base64/], [whole.subarray(0, whole.length - 10).toString('base64'), /breaks off/],
    [gzipSync(Buffer.alloc(64_000_000)).toString('base64'), /after decompression/],
    [pack([1, 2]), /not an envelope/],
    [pack('text'), /not JSON/]
  ]
  for (const [data, message] of payloads) {
    const { handle, parking } = openHandler(await openTestPlatform(t))
    t.match(await handle({ awslogs: { data } }), { unreadable: 1 })
    t.match(parking.deadLetters, [{ reason: 'undecodable', message, awslogs: { data } }])
  }
  const { handle, parking } = openHandler(await openTestPlatform(t))
  await handle({ awslogs: null })
  t.match(parking.deadLetters, [{ reason: 'undecodable' }])
})

t.test('one bad line costs no other', async t => {
  const test = await openTestPlatform(t)
  const { handle, parking } = openHandler(test)
  const lines = [
    accessLogLine({ extendedRequestId: 'A' }),
    '{"broken',
    accessLogLine({ extendedRequestId: 'B', status: '-' }),
    accessLogLine({ extendedRequestId: 'C' })
  ]
  t.match(await handle(subscriptionEvent(lines)), { received: 4, metered: 2, unreadable: 2 })
  t.strictSame(parking.deadLetters.map(({ reason, lines }) => [reason, lines?.length]), [
    ['unreadable', 1], ['unreadable', 1]
  ])
})

t.test('each client id has its outcome, however odd it is', async t => {
  const test = await openTestPlatform(t)
  const { handle, parking } = openHandler(test)
  const ids = ['a&productKey=b', '100%', 'x'.repeat(10_240), 'a\u0007b', undefined, '-', 'acme']
  const lines = ids.map((clientId, index) =>
    accessLogLine({ extendedRequestId: `X${index}`, clientId, principalId: undefined }))
  t.match(await handle(subscriptionEvent(lines)), { received: 7, metered: 3, skipped: 2, unreadable: 2 })
  t.strictSame(test.sandbox.ledger().byApplication, { 'a&productKey=b': 1, '100%': 1, acme: 1 })
  t.strictSame(parking.deadLetters.map(({ message }) => message).sort(), [
    'the client id must be printable', 'the client id must have at most 256 characters'
  ])
})

t.test('nothing that comes makes a message that no queue takes', async t => {
  const test = await openTestPlatform(t)
  test.sandbox.faults.set([{ kind: 'answer', status: 503 }])
  const { handle, parking } = openHandler(test)
  const lines = ['\u0001', '"', '€'].map(
    (character, index) =>
      accessLogLine({
        extendedRequestId: `X${index}`, path: character.repeat(20_000), userAgent: character.repeat(20_000)
      })
  )
  await handle(subscriptionEvent([
    ...lines, accessLogLine({ extendedRequestId: 'X9', userAgent: '\u0001'.repeat(5_000) })
  ]))
  for (const data of [
    '\u0001'.repeat(400_000),
    '"'.repeat(400_000),
    'A'.repeat(400_001),
    { '"': '"'.repeat(400_000) }
  ]) {
    await handle({ awslogs: { data } })
  }
  const messages = [...parking.parked.map(({ message }) => message), ...parking.deadLetters]
  t.ok(messages.length >= 6)
  for (const message of messages) {
    t.ok(Buffer.byteLength(JSON.stringify(message)) < 262_144, `${Buffer.byteLength(JSON.stringify(message))} bytes`)
  }
})

t.test('what API Gateway itself has refused is not metered, whatever it has refused it for', async t => {
  const test = await openTestPlatform(t)
  const lines = ['429', '413', '400', '415', '404'].flatMap(status => [
    accessLogLine({ extendedRequestId: `gateway ${status}`, status, integrationLatency: '-', integrationStatus: '-' }),
    accessLogLine({ extendedRequestId: `backend ${status}`, status, integrationStatus: status })
  ])
  t.match(await openHandler(test).handle(subscriptionEvent(lines)), { received: 10, metered: 5, skipped: 5 })
  t.ok(test.sandbox.events().every(({ body }) => String(body.correlationId).startsWith('backend')))
})

t.test('the format of an API that exists already is read, also around a user agent with a quote in it', async t => {
  const test = await openTestPlatform(t)
  const line = '{"requestId":"r","ip":"203.0.113.7","userAgent":"x" ' +
    'y","httpMethod":"GET","resourcePath":"/orders","status":"200","clientId":"acme"}'
  t.match(await openHandler(test).handle(subscriptionEvent([line])), { received: 1, metered: 1, skipped: 0 })
  t.match(test.sandbox.events()[0]!.body, {
    application: 'acme',
    url: '/orders',
    remoteHost: '203.0.113.7',
    userAgent: 'x" y'
  })
})

t.test('that every line was skipped is told, with what the log format may lack', async t => {
  const { handle, logged } = openHandler(await openTestPlatform(t))
  await handle(subscriptionEvent(accessLogLines(3, { clientId: undefined, principalId: undefined })))
  t.match(logged, [
    {
      level: 'error',
      message: 'every line was skipped, and nothing is metered',
      skipped: { anonymous: 3 },
      hint: /log format/
    },
    { Received: 3, Skipped: 3 }
  ])
  await handle(subscriptionEvent([
    ...accessLogLines(1), ...accessLogLines(1, { extendedRequestId: 'Y', clientId: '-', principalId: '-' })
  ]))
  t.equal(logged.length, 3, 'one of two was metered')
})

t.test('calls of nobody and calls that were turned away are skipped and counted', async t => {
  const { handle } = openHandler(await openTestPlatform(t))
  const lines = [
    accessLogLine({ extendedRequestId: 'A', clientId: '-', principalId: '-' }),
    accessLogLine({ extendedRequestId: 'B', status: '403', integrationLatency: '-', integrationStatus: '-' }),
    accessLogLine({ extendedRequestId: 'C' })
  ]
  t.match(await handle(subscriptionEvent(lines)), { received: 3, metered: 1, skipped: 2 })
})

t.test('an event that comes again is not sent again', async t => {
  const test = await openTestPlatform(t, { idempotent: false })
  const { handle } = openHandler(test)
  await handle(subscriptionEvent(accessLogLines(5)))
  t.match(await handle(subscriptionEvent(accessLogLines(8))), { received: 8, metered: 3, duplicates: 5 })
  t.equal(test.sandbox.ledger().metered, 8)
})

t.test('what the platform refuses becomes a dead letter, and costs no other', async t => {
  const test = await openTestPlatform(t)
  const { handle, parking } = openHandler(test)
  test.sandbox.faults.set([{ kind: 'answer', status: 422, application: 'globex', message: 'no such product' }])
  const lines = [
    ...accessLogLines(3),
    accessLogLine({ extendedRequestId: 'G1', clientId: 'globex' }),
    accessLogLine({ extendedRequestId: 'G2', clientId: 'globex' })
  ]
  t.match(await handle(subscriptionEvent(lines)), { metered: 3, refused: 2, parked: 0 })
  t.match(parking.deadLetters, [{
    reason: 'refused', message: /no such product/, calls: [{ application: 'globex' }, { application: 'globex' }]
  }])
})

t.test('what the platform does not take now is parked, and the invocation succeeds', async t => {
  const test = await openTestPlatform(t)
  const { handle, parking } = openHandler(test)
  test.sandbox.faults.set([{ kind: 'answer', status: 503 }])
  t.match(await handle(subscriptionEvent(accessLogLines(10))), { metered: 0, parked: 10, configFaults: 0 })
  t.match(parking.parked, [{ message: { v: 1, attempt: 1, calls: { length: 10 } }, delaySeconds: 60 }])

  test.sandbox.faults.clear()
  t.strictSame(await handle(queueEvent(parking.parked[0]!.message)), { batchItemFailures: [] })
  t.equal(test.sandbox.ledger().metered, 10)
})

t.test('half of a batch is metered and half is parked: none is lost, none is sent twice', async t => {
  const test = await openTestPlatform(t, { idempotent: false })
  const { handle, parking } = openHandler(test, { concurrency: 1 })
  test.sandbox.faults.set([{ kind: 'answer', status: 503, application: 'globex' }])
  const lines = accessLogLines(20).map((line, index) => index % 2 === 0 ? line : line.replaceAll('acme', 'globex'))
  t.match(await handle(subscriptionEvent(lines)), { metered: 10, parked: 10 })
  test.sandbox.faults.clear()
  await handle(queueEvent(...parking.parked.map(({ message }) => message)))
  t.match(test.sandbox.ledger(), { metered: 20, byApplication: { acme: 10, globex: 10 } })
})

t.test('a refused key parks everything and tells the operator', async t => {
  for (const status of [401, 403]) {
    const test = await openTestPlatform(t)
    const { handle, parking, logged } = openHandler(test)
    test.sandbox.faults.set([{ kind: 'answer', status }])
    t.match(await handle(subscriptionEvent(accessLogLines(30))), { parked: 30, configFaults: 1 })
    t.equal(parking.parked[0]!.message.calls!.length, 30)
    t.match(logged, [{ level: 'error', message: /check its key and its address/ }, { ConfigFaults: 1 }])
  }
})

t.test('the time of the invocation is kept, and what is left then is parked', async t => {
  const test = await openTestPlatform(t, { timeoutMs: 60_000 })
  const { handle, parking } = openHandler(test)
  test.sandbox.faults.set([{ kind: 'hang' }])
  const context = lambdaContext(2_000)
  t.match(await handle(subscriptionEvent(accessLogLines(40)), context), { metered: 0, parked: 40 })
  t.ok(context.getRemainingTimeInMillis() > 0, 'before Lambda would have ended it')
  t.equal(parking.parked.flatMap(({ message }) => message.calls!).length, 40)
})

t.test('only when parking fails, too, the invocation fails, and the next one meters all of it once', async t => {
  const test = await openTestPlatform(t)
  const park = async (): Promise<never> => { throw new Error('no queue') }
  const failing = openHandler(test, { parking: { park, deadLetter: async () => {} } })
  test.sandbox.faults.set([{ kind: 'answer', status: 503, application: 'globex' }])
  const event = subscriptionEvent([...accessLogLines(5), accessLogLine({ extendedRequestId: 'G', clientId: 'globex' })])
  await t.rejects(failing.handle(event), /no queue/)
  t.match(failing.logged, [{ Metered: 5, Parked: 1 }], 'it has counted what it did')
  test.sandbox.faults.clear()
  await openHandler(test).handle(event)
  t.equal(test.sandbox.ledger().metered, 6)
})

t.test('parked calls wait longer each time, and become dead letters after about a day', async t => {
  const test = await openTestPlatform(t)
  test.sandbox.faults.set([{ kind: 'answer', status: 503 }])
  const { handle, parking, logged } = openHandler(test)
  await handle(subscriptionEvent(accessLogLines(1)))
  const message = parking.parked[0]!.message
  const delays: number[] = []
  for (const attempt of [1, 2, 3, 4, 50]) {
    await handle(queueEvent({ ...message, attempt }))
    delays.push(parking.parked.at(-1)!.delaySeconds)
    t.equal(parking.parked.at(-1)!.message.attempt, attempt + 1)
  }
  t.strictSame(delays, [120, 240, 480, 900, 900])
  const before = parking.parked.length
  logged.length = 0
  await handle(queueEvent({ ...message, attempt: 100 }))
  t.match(logged, [{ Received: 1, Parked: 0, Dropped: 1 }])
  t.equal(parking.parked.length, before)
  t.match(parking.deadLetters, [{ reason: 'exhausted', message: /HTTP 503/, calls: [{ application: 'acme' }] }])
})

t.test('a dead letter can be given back to the function', async t => {
  const test = await openTestPlatform(t)
  const first = openHandler(test)
  test.sandbox.faults.set([{ kind: 'answer', status: 422 }])
  await first.handle(subscriptionEvent([accessLogLine()]))
  test.sandbox.faults.clear()
  const second = openHandler(test)
  t.strictSame(
    await second.handle(queueEvent(...first.parking.deadLetters, {
      v: 1,
      reason: 'unreadable',
      lines: [{ text: accessLogLine({ extendedRequestId: 'L' }), origin: { key: 'k', timestamp: 0 } }]
    })),
    { batchItemFailures: [] }
  )
  t.equal(test.sandbox.ledger().metered, 2)
})

t.test('an event that Lambda itself has parked is metered', async t => {
  const test = await openTestPlatform(t)
  const { handle } = openHandler(test)
  const record = await recordedEvent('on-failure')
  record.requestPayload = subscriptionEvent(accessLogLines(4))
  t.strictSame(await handle(queueEvent(record)), { batchItemFailures: [] })
  t.equal(test.sandbox.ledger().metered, 4)
})

t.test('a message that is none stays in its queue, and costs no other', async t => {
  const test = await openTestPlatform(t)
  const { handle, logged } = openHandler(test)
  const documented = (await recordedEvent('sqs')).Records[0]
  const event = queueEvent('Test message.', '[]', '{"v":2}', {
    v: 1, lines: [{ text: accessLogLine(), origin: { key: 'k', timestamp: 0 } }]
  }) as { Records: object[] }
  event.Records.push(documented)
  t.strictSame(await handle(event), {
    batchItemFailures: [
      { itemIdentifier: 'm0' },
      { itemIdentifier: 'm1' },
      { itemIdentifier: 'm2' },
      { itemIdentifier: documented.messageId }
    ]
  })
  t.equal(test.sandbox.ledger().metered, 1)
  t.match(logged[0], { level: 'error', messageId: 'm0' })
})

t.test('an event of something else is an error', async t => {
  const { handle } = openHandler(await openTestPlatform(t))
  for (const event of [null, 'x', {}, { Records: 'none' }]) {
    await t.rejects(handle(event), { name: 'UnknownEventError' })
  }
})

t.test('many calls are parked in messages that SQS takes', async t => {
  const test = await openTestPlatform(t)
  const { handle, parking } = openHandler(test)
  test.sandbox.faults.set([{ kind: 'answer', status: 401 }])
  await handle(subscriptionEvent(accessLogLines(1_500)))
  t.ok(parking.parked.length > 1)
  t.equal(parking.parked.flatMap(({ message }) => message.calls!).length, 1_500)
  for (const { message } of parking.parked) t.ok(Buffer.byteLength(JSON.stringify(message)) < 262_144)
})

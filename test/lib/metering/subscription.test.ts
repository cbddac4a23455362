import { gzipSync } from 'node:zlib'
import t from 'tap'
import { MAX_INFLATE_RATIO, MAX_INFLATED_BYTES } from '../../../lib/metering/gunzip.js'
import { decodeEnvelope, decodeSubscription, SubscriptionError } from '../../../lib/metering/subscription.js'
import { envelope, pack } from '../../helpers/metering.js'

async function faultOf (data: unknown): Promise<string | undefined> {
  const error: unknown = await decodeSubscription(data).catch((error: unknown) => error)
  return error instanceof SubscriptionError ? error.fault : undefined
}

t.test('an envelope becomes lines, each with an origin of its own', async t => {
  const subscription = await decodeSubscription(pack(envelope(['one', 'two'])))
  t.match(subscription, { kind: 'lines', logGroup: 'access', logStream: 'stream', unreadable: [] })
  const { lines } = subscription as Extract<typeof subscription, { kind: 'lines' }>
  t.strictSame(lines.map(({ text }) => text), ['one', 'two'])
  t.equal(new Set(lines.map(({ origin }) => origin.key)).size, 2)
  t.strictSame(await decodeSubscription(pack(envelope(['one', 'two']))), subscription, 'the same when it comes again')
})

t.test('the bytes that Firehose carries are the same envelope', async t => {
  t.match(await decodeEnvelope(gzipSync(JSON.stringify(envelope(['one'])))), {
    kind: 'lines', lines: [{ text: 'one' }]
  })
})

t.test('a control message is a probe, and nothing is metered for it', async t => {
  t.strictSame(
    await decodeSubscription(pack(envelope(['CWL CONTROL MESSAGE: Checking health of destination'], {
      messageType: 'CONTROL_MESSAGE'
    }))),
    { kind: 'probe' }
  )
})

t.test('a log event that is none costs no other', async t => {
  const logEvents = [
    { id: '1', timestamp: 1, message: 'good' },
    null,
    7,
    { id: '2', timestamp: 1 },
    { id: 3, timestamp: 1, message: 'x' },
    { id: '4', timestamp: 'soon', message: 'also good' }
  ]
  const subscription = await decodeSubscription(pack(envelope([], { logEvents })))
  t.match(subscription, {
    lines: [{ text: 'good' }, { text: 'also good', origin: { timestamp: 0 } }], unreadable: { length: 4 }
  })
})

t.test('what is not base64 is no payload', async t => {
  for (const data of [undefined, null, 7, '', 'a', '!!!!', 'YWJj=', `${pack('{}')}\n`, 'YW Jj']) {
    t.equal(await faultOf(data), 'not-base64', JSON.stringify(data))
  }
})

t.test('what is not gzip is no payload', async t => {
  t.equal(await faultOf(Buffer.from('{"messageType":"DATA_MESSAGE"}').toString('base64')), 'not-gzip')
})

t.test('a gzip stream that breaks off is no payload', async t => {
  const whole = gzipSync(JSON.stringify(envelope(['one'])))
  t.equal(await faultOf(whole.subarray(0, whole.length - 12).toString('base64')), 'truncated')
  t.equal(await faultOf(whole.subarray(0, 14).toString('base64')), 'truncated')
})

t.test('a bomb is not inflated', async t => {
  const bomb = gzipSync(Buffer.alloc(64 * 1_048_576, 0x20))
  t.ok(bomb.length < 100_000)
  const error = await decodeSubscription(bomb.toString('base64')).catch((error: SubscriptionError) => error)
  t.match(error, { fault: 'too-large', message: new RegExp(`more than ${bomb.length * MAX_INFLATE_RATIO} bytes`) })
})

t.test('a large payload of real lines is no bomb', async t => {
  const messages = Array.from({ length: 2_000 }, (_, index) =>
    JSON.stringify({ extendedRequestId: `id-${index}-${Math.random()}`, status: '200', padding: 'x'.repeat(600) }))
  const data = pack(envelope(messages))
  t.match(await decodeSubscription(data), { lines: { length: 2_000 } })
  t.ok(MAX_INFLATED_BYTES > 4 * 1_048_576)
})

t.test('what is not JSON is no payload', async t => {
  t.equal(await faultOf(pack('GET / 200')), 'not-json')
  t.equal(await faultOf(pack('')), 'not-json')
})

t.test('JSON of another shape is no payload', async t => {
  const wrong = [
    [],
    null,
    7,
    {},
    { messageType: 'OTHER' },
    envelope([], { logEvents: 'none' }),
    envelope([], { owner: 7 }),
    envelope([], { logGroup: undefined })
  ]
  for (const content of wrong) t.equal(await faultOf(pack(content)), 'wrong-shape', JSON.stringify(content))
})

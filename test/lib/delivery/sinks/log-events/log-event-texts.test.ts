import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { CloudWatchLogsClient, PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import fc from 'fast-check'
import t from 'tap'
import type { StoredLogEvent } from '../../../../../lib/items/item.js'
import { awsClientOptions } from '../../../../../lib/delivery/aws-client-options.js'
import { LogEventTexts } from '../../../../../lib/delivery/sinks/log-events/log-event-texts.js'
import { withBody } from '../../../../../lib/delivery/sinks/log-events/ready-body.js'

/** What differs between two calls of one content. */
const OF_THE_CALL = ['authorization', 'amz-sdk-invocation-id', 'x-amz-date', 'x-amz-content-sha256', 'content-length']

const storedEvent = fc.tuple(fc.integer({ min: 0, max: 4e12 }), fc.string({ unit: 'binary' }).map(text => text.toWellFormed()))

t.test('what is written is the JSON of the events asked for, in that order, however often it is used', async () => {
  const texts = new LogEventTexts()
  const events: fc.Arbitrary<StoredLogEvent[]> = fc.array(storedEvent, { minLength: 1, maxLength: 40 })
  fc.assert(fc.property(events.chain(all => fc.tuple(fc.constant(all), fc.shuffledSubarray([...all.keys()], { minLength: 1 }))), ([all, indexes]) => {
    texts.clear()
    for (const event of all) texts.add(event)
    assert.equal(texts.size, all.length)
    all.forEach(([timestamp, message], i) => assert.deepEqual([texts.timestamp(i), texts.bytes(i)], [timestamp, Buffer.byteLength(message) + 26]))
    for (const wanted of [[...all.keys()], indexes]) {
      const written = texts.write('{"größe":1,"logEvents":', wanted, ',"end":"é"}').toString()
      assert.equal(written, `{"größe":1,"logEvents":${JSON.stringify(wanted.map(index => ({ message: all[index]![1], timestamp: all[index]![0] })))},"end":"é"}`)
    }
  }), { numRuns: 200 })
})

t.test('grows with what it is given', async t => {
  const texts = new LogEventTexts()
  const events = Array.from({ length: 25_000 }, (_, i): StoredLogEvent => [i, 'm'.repeat(i % 50)])
  for (const event of events) texts.add(event)
  t.equal(texts.timestamp(24_999), 24_999)
  t.equal(texts.bytes(12_049), 49 + 26)
  const written = JSON.parse(texts.write('', [...events.keys()], '').toString()) as Array<{ timestamp: number, message: string }>
  t.ok(written.every(({ timestamp, message }, i) => timestamp === i && message.length === i % 50))
})

t.test('the SDK sends it as it would have sent the events itself', async t => {
  const received: Array<{ headers: unknown, body: string }> = []
  const server = createServer(async (request, response) => {
    const body = await text(request)
    received.push({ headers: OF_THE_CALL.reduce((headers, name) => ({ ...headers, [name]: undefined }), request.headers), body })
    response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const logs = new CloudWatchLogsClient({ credentials: { accessKeyId: 'id', secretAccessKey: 's' }, endpoint, ...awsClientOptions({ region: 'eu-west-1', requestTimeoutMs: 30_000 }) })
  t.teardown(() => logs.destroy())
  const names = { logGroupName: '/app', logStreamName: 'a"b' }
  for (const events of fc.sample(fc.array(storedEvent, { minLength: 1, maxLength: 20 }), 20)) {
    const texts = new LogEventTexts()
    for (const event of events) texts.add(event)
    const body = texts.write(`${JSON.stringify(names).slice(0, -1)},"logEvents":`, [...events.keys()], '}')
    await logs.send(withBody(new PutLogEventsCommand({ ...names, logEvents: [] }), body))
    await logs.send(new PutLogEventsCommand({ ...names, logEvents: events.map(([timestamp, message]) => ({ timestamp, message })) }))
    const [ours, theirs] = received.splice(0)
    t.same(ours!.headers, theirs!.headers)
    t.equal(Buffer.byteLength(ours!.body), body.length)
    t.same(JSON.parse(ours!.body), JSON.parse(theirs!.body))
  }
})

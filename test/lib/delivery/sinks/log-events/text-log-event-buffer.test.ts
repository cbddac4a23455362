import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import fc from 'fast-check'
import t from 'tap'
import type { StoredLogEvent } from '../../../../../lib/items/item.js'
import { awsClientOptions } from '../../../../../lib/delivery/aws-client-options.js'
import { TextLogEventBuffer } from '../../../../../lib/delivery/sinks/log-events/text-log-event-buffer.js'
import { LOG_EVENT_BUFFERS } from '../../../../helpers/delivery.js'

/** What differs between two calls of one content. */
const OF_THE_CALL = ['authorization', 'amz-sdk-invocation-id', 'x-amz-date', 'x-amz-content-sha256', 'content-length']

const storedEvent = fc.tuple(
  fc.integer({ min: 0, max: 4e12 }), fc.string({ unit: 'binary' }).map(text => text.toWellFormed())
)

t.test('a body is the JSON of the log events asked for, in that order, however often the buffer is used', async () => {
  const buffer = new TextLogEventBuffer()
  const events: fc.Arbitrary<StoredLogEvent[]> = fc.array(storedEvent, { minLength: 1, maxLength: 40 })
  const names = { logGroupName: 'größe', logStreamName: 'é"' }
  fc.assert(fc.property(events.chain(
    all => fc.tuple(fc.constant(all), fc.shuffledSubarray([...all.keys()], { minLength: 1 }))
  ), ([all, indexes]) => {
    buffer.clear()
    for (const event of all) buffer.add(event)
    assert.equal(buffer.size, all.length)
    all.forEach(([timestamp, message], i) =>
      assert.deepEqual([buffer.timestamp(i), buffer.bytes(i)], [timestamp, Buffer.byteLength(message) + 26]))
    for (const wanted of [[...all.keys()], indexes]) {
      const logEvents = wanted.map(index => ({ message: all[index]![1], timestamp: all[index]![0] }))
      assert.equal(buffer.body(names, wanted).toString(), JSON.stringify({ ...names, logEvents }))
    }
  }), { numRuns: 200 })
})

t.test('grows with the log events it is given', async t => {
  const buffer = new TextLogEventBuffer()
  const events = Array.from({ length: 25_000 }, (_, i): StoredLogEvent => [i, 'm'.repeat(i % 50)])
  for (const event of events) buffer.add(event)
  t.equal(buffer.timestamp(24_999), 24_999)
  t.equal(buffer.bytes(12_049), 49 + 26)
  const { logEvents } = JSON.parse(
    buffer.body({ logGroupName: 'g', logStreamName: 's' }, [...events.keys()]).toString()
  ) as { logEvents: Array<{ timestamp: number, message: string }> }
  t.equal(logEvents.length, events.length)
  t.ok(logEvents.every(({ timestamp, message }, i) => timestamp === i && message.length === i % 50))
})

t.test('the SDK sends its body as it would have sent the log events themselves', async t => {
  const received: Array<{ headers: unknown, body: string }> = []
  const server = createServer(async (request, response) => {
    const body = await text(request)
    received.push({
      headers: OF_THE_CALL.reduce((headers, name) => ({ ...headers, [name]: undefined }), request.headers), body
    })
    response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const logs = new CloudWatchLogsClient({
    credentials: { accessKeyId: 'id', secretAccessKey: 's' },
    endpoint,
    ...awsClientOptions({ region: 'eu-west-1', requestTimeoutMs: 30_000 })
  })
  t.teardown(() => logs.destroy())
  const names = { logGroupName: '/app', logStreamName: 'a"b' }
  for (const events of fc.sample(fc.array(storedEvent, { minLength: 1, maxLength: 20 }), 20)) {
    for (const [, createBuffer] of LOG_EVENT_BUFFERS) {
      const buffer = createBuffer()
      for (const event of events) buffer.add(event, buffer.size)
      await logs.send(buffer.command(names, [...events.keys()]))
    }
    const [text, decoded] = received.splice(0)
    t.same(text!.headers, decoded!.headers)
    t.same(JSON.parse(text!.body), JSON.parse(decoded!.body))
    t.same(JSON.parse(text!.body), {
      ...names, logEvents: events.map(([timestamp, message]) => ({ timestamp, message }))
    })
  }
})

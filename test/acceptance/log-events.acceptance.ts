import assert from 'node:assert/strict'
import test from 'node:test'
import { readLogEvents } from './cloudwatch.js'
import { logGroupOf, startGateway, TEST_TIMEOUT_MS } from './harness.js'

const HOUR_MS = 3_600_000
const timeout = TEST_TIMEOUT_MS
const gateway = await startGateway()
const logGroupName = logGroupOf('log-events')

async function send (logStreamName: string, logEvents: Array<{ message: string, timestamp: number }>): Promise<void> {
  const { status, body } = await gateway.send('/logEvents', { logGroupName, logStreamName, logEvents })
  assert.deepEqual([status, body.accepted, body.rejected], [201, logEvents.length, []])
}

test('log group and log stream are created when they do not exist', { timeout }, async () => {
  const timestamp = Date.now()
  await send('new', [{ message: 'the first event', timestamp }])
  assert.deepEqual(await readLogEvents(logGroupName, 'new', 1), [{ message: 'the first event', timestamp }])
})

test('events come back in order of their time, in whatever order they came', { timeout }, async () => {
  const now = Date.now()
  const event = (age: number) => ({ message: `${age} ms ago`, timestamp: now - age })
  await send('order', [event(3_000), event(9_000), event(1_000)])
  await send('order', [event(6_000), event(2_000)])
  assert.deepEqual(await readLogEvents(logGroupName, 'order', 5), [event(9_000), event(6_000), event(3_000), event(2_000), event(1_000)])
})

test('every character comes back as it was sent', { timeout }, async () => {
  const timestamp = Date.now()
  const messages = ['Grüße', 'こんにちは', '👩‍💻 🇨🇭', 'שלום', 'tab\tquote"backslash\\', '{"json":true}', 'two\nlines']
  await send('utf-8', messages.map((message, index) => ({ message, timestamp: timestamp + index })))
  const found = await readLogEvents(logGroupName, 'utf-8', messages.length)
  assert.deepEqual(found.map(({ message }) => message), messages)
})

test('a request of 10,000 events arrives whole', { timeout }, async () => {
  const timestamp = Date.now() - 10_000
  const logEvents = Array.from({ length: 10_000 }, (_, index) => ({ message: `event ${index}`, timestamp: timestamp + index }))
  await send('many', logEvents)
  assert.deepEqual(await readLogEvents(logGroupName, 'many', 10_000), logEvents)
})

test('a request of 900 kB arrives whole', { timeout }, async () => {
  const timestamp = Date.now()
  const logEvents = Array.from({ length: 18 }, (_, index) => ({ message: `${index} `.padEnd(50_000, 'x'), timestamp: timestamp + index }))
  await send('large', logEvents)
  assert.deepEqual(await readLogEvents(logGroupName, 'large', 18), logEvents)
})

test('events further apart than a call may span all arrive', { timeout }, async () => {
  const now = Date.now()
  const logEvents = [200, 90, 50, 1].map(hours => ({ message: `${hours} hours ago`, timestamp: now - hours * HOUR_MS }))
  await send('span', logEvents)
  assert.deepEqual(await readLogEvents(logGroupName, 'span', 4), logEvents)
})

test('two sessions write to one stream in parallel, and every event is there once', { timeout }, async () => {
  const timestamp = Date.now()
  const session = async (name: string): Promise<string[]> => {
    const messages = Array.from({ length: 20 }, (_, index) => `${name} ${index}`)
    for (const message of messages) await send('parallel', [{ message, timestamp }])
    return messages
  }
  const sent = (await Promise.all([session('one'), session('two')])).flat()
  const found = await readLogEvents(logGroupName, 'parallel', sent.length)
  assert.deepEqual(found.map(({ message }) => message).sort(), sent.sort())
})

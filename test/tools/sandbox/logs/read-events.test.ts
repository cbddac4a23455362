import {
  CreateLogStreamCommand, FilterLogEventsCommand, GetLogEventsCommand, PutLogEventsCommand,
  type FilterLogEventsCommandInput, type GetLogEventsCommandInput
} from '@aws-sdk/client-cloudwatch-logs'
import t from 'tap'
import { createStream, openSandbox } from '../../../helpers/sandbox.js'

const NOW = Date.UTC(2026, 5, 15, 12)

const sandbox = await openSandbox(t, { now: () => NOW })

async function put (logGroupName: string, logStreamName: string, logEvents: [number, string][]): Promise<void> {
  await sandbox.logs.send(new PutLogEventsCommand({
    logGroupName, logStreamName, logEvents: logEvents.map(([offset, message]) => ({ timestamp: NOW + offset, message }))
  }))
}

async function get (input: Partial<GetLogEventsCommandInput>) {
  const { events, nextForwardToken, nextBackwardToken } = await sandbox.logs.send(new GetLogEventsCommand({
    logGroupName: 'get', logStreamName: 's', ...input
  }))
  return { messages: events!.map(({ message }) => message), forward: nextForwardToken!, backward: nextBackwardToken! }
}

async function filter (input: Partial<FilterLogEventsCommandInput>) {
  const { events, nextToken } = await sandbox.logs.send(new FilterLogEventsCommand({
    logGroupName: 'filter', ...input
  }))
  return { messages: events!.map(({ message }) => message), events: events!, nextToken }
}

await createStream(sandbox.logs, 'get', 's')
await put('get', 's', [[0, 'c'], [1, 'd'], [2, 'e']])
await put('get', 's', [[-2, 'a'], [-1, 'b'], [2, 'f']])
await createStream(sandbox.logs, 'filter', 'web-1')
for (const logStreamName of ['web-2', 'worker']) {
  await sandbox.logs.send(new CreateLogStreamCommand({ logGroupName: 'filter', logStreamName }))
}
await put('filter', 'web-1', [[0, 'ERROR first-one'], [2, 'INFO third'], [4, 'ERROR fifth timeout']])
await put('filter', 'web-2', [[1, 'WARN second'], [3, 'ERROR fourth']])
await put('filter', 'worker', [[5, 'INFO sixth']])

t.test('GetLogEvents gives events by time, then as they came', async t => {
  t.same((await get({})).messages, ['a', 'b', 'c', 'd', 'e', 'f'])
  const { events } = await sandbox.logs.send(new GetLogEventsCommand({
    logGroupName: 'get', logStreamName: 's', limit: 1
  }))
  t.same(events, [{ timestamp: NOW + 2, message: 'f', ingestionTime: NOW }])
})

t.test('GetLogEvents pages forward from the head until the token repeats', async t => {
  const first = await get({ startFromHead: true, limit: 4 })
  t.same(first.messages, ['a', 'b', 'c', 'd'])
  const second = await get({ startFromHead: true, limit: 4, nextToken: first.forward })
  t.same(second.messages, ['e', 'f'])
  const third = await get({ startFromHead: true, limit: 4, nextToken: second.forward })
  t.same(third.messages, [])
  t.equal(third.forward, second.forward)
})

t.test('GetLogEvents pages backward from the tail until the token repeats', async t => {
  const first = await get({ limit: 4 })
  t.same(first.messages, ['c', 'd', 'e', 'f'])
  const second = await get({ limit: 4, nextToken: first.backward })
  t.same(second.messages, ['a', 'b'])
  const third = await get({ limit: 4, nextToken: second.backward })
  t.same(third.messages, [])
  t.equal(third.backward, second.backward)
  t.same(
    (await get({ limit: 4, nextToken: first.forward })).messages,
    [],
    'the forward token of the tail waits for new events'
  )
  t.same(
    (await get({ nextToken: second.forward })).messages, ['c', 'd', 'e', 'f'], 'and that of an older page leads back'
  )
})

t.test('a forward token sees what is stored later', async t => {
  await createStream(sandbox.logs, 'tail', 's')
  const empty = await get({ logGroupName: 'tail', startFromHead: true })
  t.same(empty.messages, [])
  await put('tail', 's', [[0, 'one']])
  const first = await get({ logGroupName: 'tail', startFromHead: true, nextToken: empty.forward })
  t.same(first.messages, ['one'])
  await put('tail', 's', [[0, 'two'], [5, 'three']])
  t.same(
    (await get({ logGroupName: 'tail', startFromHead: true, nextToken: first.forward })).messages, ['two', 'three']
  )
})

t.test('GetLogEvents includes startTime and excludes endTime', async t => {
  t.same((await get({ startTime: NOW - 1, endTime: NOW + 2 })).messages, ['b', 'c', 'd'])
  t.same((await get({ startTime: NOW + 3 })).messages, [])
  t.same((await get({ startTime: NOW, startFromHead: true, limit: 1 })).messages, ['c'])
})

t.test('a page of GetLogEvents holds at most 1 MB', async t => {
  await createStream(sandbox.logs, 'big', 's')
  for (let i = 0; i < 3; i++) await put('big', 's', [[i, String(i).repeat(600_000)]])
  const first = await get({ logGroupName: 'big', startFromHead: true })
  t.same(first.messages.map(message => message![0]), ['0'])
  t.same((await get({ logGroupName: 'big' })).messages.map(message => message![0]), ['2'])
})

t.test('a read names its log group by name or identifier', async t => {
  t.equal((await get({ logGroupName: undefined, logGroupIdentifier: 'get' })).messages.length, 6)
  t.equal(
    (await get({
      logGroupName: undefined, logGroupIdentifier: 'arn:aws:logs:us-east-1:000000000000:log-group:get:*'
    })).messages.length,
    6
  )
  await t.rejects(get({ logGroupIdentifier: 'get' }), {
    name: 'InvalidParameterException', message: /mutually exclusive/
  })
})

t.test('GetLogEvents refuses', async t => {
  await t.rejects(get({ logGroupName: 'none' }), { name: 'ResourceNotFoundException', message: /log group/ })
  await t.rejects(get({ logStreamName: 'none' }), { name: 'ResourceNotFoundException', message: /log stream/ })
  await t.rejects(get({ limit: 0 }), { name: 'InvalidParameterException', message: /'limit'/ })
  await t.rejects(get({ limit: 10_001 }), { name: 'InvalidParameterException', message: /'limit'/ })
  await t.rejects(get({ nextToken: 'nonsense' }), { name: 'InvalidParameterException', message: /nextToken/ })
})

t.test('FilterLogEvents searches all streams in order of time', async t => {
  const { events, nextToken } = await filter({})
  t.same(events.map(({ logStreamName }) => logStreamName), ['web-1', 'web-2', 'web-1', 'web-2', 'web-1', 'worker'])
  t.match(events[0], { timestamp: NOW, ingestionTime: NOW, message: 'ERROR first-one' })
  t.equal(new Set(events.map(({ eventId }) => eventId)).size, 6)
  t.equal(nextToken, undefined)
  t.same((await filter({ startFromHead: false })).events, [...events].reverse())
})

t.test('FilterLogEvents selects streams and times, both ends inclusive', async t => {
  const count = async (input: Partial<FilterLogEventsCommandInput>): Promise<number> =>
    (await filter(input)).messages.length
  t.equal(await count({ logStreamNames: ['web-2', 'worker'] }), 3)
  t.equal(await count({ logStreamNamePrefix: 'web' }), 5)
  t.equal(await count({ startTime: NOW + 1, endTime: NOW + 3 }), 3)
  await t.rejects(filter({ logStreamNames: ['web-1'], logStreamNamePrefix: 'web' }), {
    name: 'InvalidParameterException'
  })
  await t.rejects(filter({ logStreamNames: ['none'] }), { name: 'ResourceNotFoundException' })
  await t.rejects(filter({ logGroupName: 'none' }), { name: 'ResourceNotFoundException' })
})

t.test('FilterLogEvents matches terms', async t => {
  const patterns: Record<string, string[]> = {
    ERROR: ['ERROR first-one', 'ERROR fourth', 'ERROR fifth timeout'],
    error: [],
    'ERROR timeout': ['ERROR fifth timeout'],
    '"first-one"': ['ERROR first-one'],
    '"fifth timeout"': ['ERROR fifth timeout'],
    '"timeout fifth"': [],
    'ERROR -timeout': ['ERROR first-one', 'ERROR fourth'],
    '?WARN ?sixth': ['WARN second', 'INFO sixth'],
    ' ': ['ERROR first-one', 'WARN second', 'INFO third', 'ERROR fourth', 'ERROR fifth timeout', 'INFO sixth']
  }
  for (const [filterPattern, expected] of Object.entries(patterns)) {
    t.same((await filter({ filterPattern })).messages, expected, filterPattern)
  }
  for (const filterPattern of ['first-one', '"open', '{ $.a = 1 }', '[a, b]', '%x%']) {
    await t.rejects(filter({ filterPattern }), { name: 'InvalidParameterException' }, filterPattern)
  }
})

t.test('FilterLogEvents pages in both directions', async t => {
  for (const startFromHead of [true, false]) {
    const seen: (string | undefined)[] = []
    let nextToken: string | undefined
    let pages = 0
    do {
      const page = await filter({
        filterPattern: 'ERROR',
        limit: 2,
        startFromHead,
        ...(nextToken === undefined ? {} : { nextToken })
      })
      seen.push(...page.messages)
      nextToken = page.nextToken
      pages++
    } while (nextToken !== undefined)
    const expected = ['ERROR first-one', 'ERROR fourth', 'ERROR fifth timeout']
    t.same(seen, startFromHead ? expected : expected.reverse())
    t.equal(pages, 2)
  }
  await t.rejects(filter({ nextToken: 'nonsense' }), { name: 'InvalidParameterException' })
})

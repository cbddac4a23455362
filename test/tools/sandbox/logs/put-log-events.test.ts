import {
  CreateLogStreamCommand, PutLogEventsCommand, PutRetentionPolicyCommand, type PutLogEventsCommandInput
} from '@aws-sdk/client-cloudwatch-logs'
import t from 'tap'
import { PUT_LOG_EVENTS } from '../../../../schemas/aws-limits.js'
import { createStream, openSandbox } from '../../../helpers/sandbox.js'

const NOW = Date.UTC(2026, 5, 15, 12)
const HOUR = 3_600_000
const DAY = 24 * HOUR

const sandbox = await openSandbox(t, { now: () => NOW })
await createStream(sandbox.logs, 'group', 'stream')

async function put (input: Partial<PutLogEventsCommandInput>) {
  return await sandbox.logs.send(new PutLogEventsCommand({
    logGroupName: 'group', logStreamName: 'stream', logEvents: [{ timestamp: NOW, message: 'hello' }], ...input
  }))
}

/** Events at these offsets from now, in milliseconds. */
function events (...offsets: number[]): Pick<PutLogEventsCommandInput, 'logEvents'> {
  return { logEvents: offsets.map(offset => ({ timestamp: NOW + offset, message: `at ${offset}` })) }
}

function messages (count: number, length: number): Pick<PutLogEventsCommandInput, 'logEvents'> {
  return { logEvents: Array.from({ length: count }, (_, i) => ({ timestamp: NOW + i, message: 'x'.repeat(length) })) }
}

function stored (logGroupName: string): string[] {
  return [...sandbox.items(logGroupName)].map(({ message }) => message)
}

const largest = PUT_LOG_EVENTS.MAX_EVENT_BYTES
const refused: [string, Partial<PutLogEventsCommandInput>, string, string | RegExp][] = [
  [
    'a log group that is not there',
    { logGroupName: 'other' },
    'ResourceNotFoundException',
    'The specified log group does not exist.'
  ],
  [
    'a log stream that is not there',
    { logStreamName: 'other' },
    'ResourceNotFoundException',
    'The specified log stream does not exist.'
  ],
  [
    'a malformed log group name',
    { logGroupName: 'a group' },
    'InvalidParameterException',
    /'logGroupName'.*regular expression/
  ],
  [
    'a malformed log stream name',
    { logStreamName: 'a:b' },
    'InvalidParameterException',
    /'logStreamName'.*regular expression/
  ],
  ['no log stream name', { logStreamName: undefined }, 'InvalidParameterException', /Value null at 'logStreamName'/],
  ['no events', { logEvents: undefined }, 'InvalidParameterException', /'logEvents'.*must not be null/],
  ['an empty list', { logEvents: [] }, 'InvalidParameterException', /'logEvents'.*greater than or equal to 1/],
  ['10,001 events', messages(10_001, 1), 'InvalidParameterException', /'logEvents'.*less than or equal to 10000/],
  [
    'an empty message',
    { logEvents: [{ timestamp: NOW, message: 'a' }, { timestamp: NOW, message: '' }] },
    'InvalidParameterException',
    /'logEvents\.2\.member\.message'.*greater than or equal to 1/
  ],
  [
    'an event without a message',
    { logEvents: [{ timestamp: NOW, message: undefined }] },
    'InvalidParameterException',
    /message'.*must not be null/
  ],
  [
    'an event without a timestamp',
    { logEvents: [{ timestamp: undefined, message: 'a' }] },
    'InvalidParameterException',
    /timestamp'.*must not be null/
  ],
  [
    'a negative timestamp',
    { logEvents: [{ timestamp: -1, message: 'a' }] },
    'InvalidParameterException',
    /timestamp'.*greater than or equal to 0/
  ],
  [
    'a timestamp with a fraction',
    { logEvents: [{ timestamp: NOW + 0.5, message: 'a' }] },
    'SerializationException',
    /timestamp/
  ],
  [
    'an event that is too large',
    messages(1, largest + 1),
    'InvalidParameterException',
    'Log event too large: 1048577 bytes exceeds limit of 1048576'
  ],
  [
    'an event that is too large in UTF-8',
    { logEvents: [{ timestamp: NOW, message: 'ü'.repeat(largest / 2 + 1) }] },
    'InvalidParameterException',
    /Log event too large/
  ],
  [
    'a batch that is too large',
    messages(4, 262_119),
    'InvalidParameterException',
    'Upload too large: 1048580 bytes exceeds limit of 1048576'
  ],
  [
    'events out of order',
    events(1, 0),
    'InvalidParameterException',
    'Log events in a single PutLogEvents request must be in chronological order.'
  ],
  ['valid events more than 24 hours apart', events(-DAY - 1, 0), 'InvalidParameterException', /24 hours/]
]

t.test('PutLogEvents refuses', async t => {
  for (const [what, input, name, message] of refused) {
    await t.rejects(put(input), { name, message, $metadata: { httpStatusCode: 400 } }, what)
  }
  t.same(stored('group'), [], 'nothing of a refused call is stored')
})

t.test('PutLogEvents takes', async t => {
  const taken: [string, Partial<PutLogEventsCommandInput>][] = [
    ['10,000 events', messages(10_000, 1)],
    ['the largest event', messages(1, largest)],
    ['the largest event in UTF-8', { logEvents: [{ timestamp: NOW, message: 'ü'.repeat(largest / 2) }] }],
    ['the largest batch', messages(4, 262_118)],
    ['events 24 hours apart', events(-DAY, 0)],
    ['events of the same time', events(0, 0)],
    ['a sequence token, which is ignored', { sequenceToken: 'whatever' }]
  ]
  for (const [what, input] of taken) t.equal((await put(input)).rejectedLogEventsInfo, undefined, what)
  t.equal(sandbox.ledger().bytes.PutLogEvents! > 3 * 1_048_000, true)
  t.equal(sandbox.ledger().fill.PutLogEvents!.max, 1)
})

const rejections: [string, number | null, number[], object | undefined, string[]][] = [
  ['too old', null, [-14 * DAY - 2, -14 * DAY - 1, -14 * DAY], { tooOldLogEventEndIndex: 2 }, [`at ${-14 * DAY}`]],
  ['too new', null, [2 * HOUR, 2 * HOUR + 1, 2 * HOUR + 2], { tooNewLogEventStartIndex: 1 }, [`at ${2 * HOUR}`]],
  [
    'too old and too new',
    null,
    [-15 * DAY, 0, 3 * HOUR],
    { tooOldLogEventEndIndex: 1, tooNewLogEventStartIndex: 2 },
    ['at 0']
  ],
  ['expired', 1, [-DAY - 2, -DAY - 1, -DAY], { expiredLogEventEndIndex: 2 }, [`at ${-DAY}`]],
  [
    'too old and expired',
    1,
    [-15 * DAY, -2 * DAY, 0],
    { tooOldLogEventEndIndex: 1, expiredLogEventEndIndex: 2 },
    ['at 0']
  ],
  [
    'all',
    1,
    [-15 * DAY, -2 * DAY, 3 * HOUR],
    { tooOldLogEventEndIndex: 1, expiredLogEventEndIndex: 2, tooNewLogEventStartIndex: 2 },
    []
  ],
  ['none, within a long retention', 30, [-13 * DAY], undefined, [`at ${-13 * DAY}`]],
  ['too old within a long retention', 30, [-15 * DAY, 0], { tooOldLogEventEndIndex: 1 }, ['at 0']]
]

t.test('events outside the accepted time are rejected and the rest is stored', async t => {
  for (const [index, [what, retentionInDays, offsets, info, kept]] of rejections.entries()) {
    const logGroupName = `rejections-${index}`
    await createStream(sandbox.logs, logGroupName, 'stream')
    if (retentionInDays !== null) {
      await sandbox.logs.send(new PutRetentionPolicyCommand({ logGroupName, retentionInDays }))
    }
    const { rejectedLogEventsInfo } = await put({ logGroupName, ...events(...offsets) })
    t.same(rejectedLogEventsInfo, info, what)
    t.same(stored(logGroupName), kept, what)
  }
  t.same(sandbox.ledger().rejected, { 'too-old': 6, 'too-new': 4, expired: 4 })
})

t.test('streams of one group are apart', async t => {
  await createStream(sandbox.logs, 'apart', 'a')
  await sandbox.logs.send(new CreateLogStreamCommand({ logGroupName: 'apart', logStreamName: 'b' }))
  await put({ logGroupName: 'apart', logStreamName: 'b' })
  t.same([...sandbox.items('apart')], [{ logGroupName: 'apart', logStreamName: 'b', timestamp: NOW, message: 'hello' }])
})

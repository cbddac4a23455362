import {
  CreateLogGroupCommand, CreateLogStreamCommand, DeleteLogGroupCommand, DeleteLogStreamCommand,
  DeleteRetentionPolicyCommand, DescribeLogGroupsCommand, DescribeLogStreamsCommand, PutLogEventsCommand,
  PutRetentionPolicyCommand, type DescribeLogStreamsCommandInput
} from '@aws-sdk/client-cloudwatch-logs'
import t from 'tap'
import { RETENTION_DAYS } from '../../../../schemas/aws-limits.js'
import { createStream, openSandbox } from '../../../helpers/sandbox.js'

const NOW = Date.UTC(2026, 5, 15, 12)

t.test('CreateLogGroup', async t => {
  const { logs } = await openSandbox(t)
  const create = (logGroupName: string, extra: object = {}) =>
    logs.send(new CreateLogGroupCommand({ logGroupName, ...extra }))
  for (const name of ['a', '/app/web_1.prod#2', 'g'.repeat(512)]) await t.resolves(create(name), name.slice(0, 20))
  await t.resolves(create('rare', { logGroupClass: 'INFREQUENT_ACCESS', tags: { a: 'b' } }))
  await t.rejects(create('a'), {
    name: 'ResourceAlreadyExistsException',
    message: 'The specified log group already exists',
    $metadata: { httpStatusCode: 400 }
  })
  for (const name of ['', 'g'.repeat(513), 'a b', 'a:b', 'ä', 'aws/lambda']) {
    await t.rejects(create(name), { name: 'InvalidParameterException' }, name.slice(0, 20))
  }
  await t.rejects(create('b', { logGroupClass: 'GOLD' }), {
    name: 'InvalidParameterException', message: /logGroupClass/
  })
})

t.test('CreateLogStream', async t => {
  const { logs } = await openSandbox(t)
  await createStream(logs, 'g', 's')
  const create = (logStreamName: string, logGroupName: string = 'g') =>
    logs.send(new CreateLogStreamCommand({ logGroupName, logStreamName }))
  for (const name of ['with space/ü', 's'.repeat(512)]) await t.resolves(create(name), name.slice(0, 20))
  await t.rejects(create('s'), {
    name: 'ResourceAlreadyExistsException', message: 'The specified log stream already exists'
  })
  await t.rejects(create('s', 'none'), {
    name: 'ResourceNotFoundException', message: 'The specified log group does not exist.'
  })
  for (const name of ['', 's'.repeat(513), 'a:b', 'a*']) {
    await t.rejects(create(name), { name: 'InvalidParameterException' }, name.slice(0, 20))
  }
})

t.test('retention takes the days that CloudWatch Logs takes, and no others', async t => {
  const { logs } = await openSandbox(t)
  await logs.send(new CreateLogGroupCommand({ logGroupName: 'g' }))
  const retention = async (): Promise<number | undefined> =>
    (await logs.send(new DescribeLogGroupsCommand({}))).logGroups![0]!.retentionInDays
  for (const retentionInDays of RETENTION_DAYS) {
    await logs.send(new PutRetentionPolicyCommand({ logGroupName: 'g', retentionInDays }))
    t.equal(await retention(), retentionInDays)
  }
  for (const retentionInDays of [0, 2, 31, 4000]) {
    await t.rejects(logs.send(new PutRetentionPolicyCommand({ logGroupName: 'g', retentionInDays })), {
      name: 'InvalidParameterException', message: /retentionInDays/
    })
  }
  await t.rejects(logs.send(new PutRetentionPolicyCommand({ logGroupName: 'none', retentionInDays: 1 })), {
    name: 'ResourceNotFoundException'
  })
  await logs.send(new DeleteRetentionPolicyCommand({ logGroupName: 'g' }))
  t.equal(await retention(), undefined)
})

t.test('DescribeLogGroups lists by name, by prefix, by pattern, in pages', async t => {
  const { logs } = await openSandbox(t, { now: () => NOW })
  for (const logGroupName of ['/b', '/a/2', '/a/1']) await logs.send(new CreateLogGroupCommand({ logGroupName }))
  const list = async (input: object) => {
    const { logGroups, nextToken } = await logs.send(new DescribeLogGroupsCommand(input))
    return { names: logGroups!.map(({ logGroupName }) => logGroupName), nextToken }
  }
  t.same((await list({})).names, ['/a/1', '/a/2', '/b'])
  t.same((await list({ logGroupNamePrefix: '/a' })).names, ['/a/1', '/a/2'])
  t.same((await list({ logGroupNamePattern: 'B' })).names, ['/b'])
  const first = await list({ limit: 2 })
  t.same(first.names, ['/a/1', '/a/2'])
  t.same(await list({ limit: 2, nextToken: first.nextToken }), { names: ['/b'], nextToken: undefined })
  await t.rejects(list({ logGroupNamePrefix: 'a', logGroupNamePattern: 'a' }), { name: 'InvalidParameterException' })
  await t.rejects(list({ limit: 51 }), { name: 'InvalidParameterException' })
  await t.rejects(list({ nextToken: 'nonsense' }), { name: 'InvalidParameterException' })

  await logs.send(new CreateLogStreamCommand({ logGroupName: '/b', logStreamName: 's' }))
  await logs.send(new PutLogEventsCommand({
    logGroupName: '/b',
    logStreamName: 's',
    logEvents: [{ timestamp: NOW - 15 * 86_400_000, message: 'old' }, { timestamp: NOW, message: 'four' }]
  }))
  const { logGroups } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/b' }))
  t.match(logGroups, [{ creationTime: NOW, logGroupClass: 'STANDARD', storedBytes: 30, arn: /log-group:\/b:\*$/ }])
})

t.test('DescribeLogStreams lists by name or by last event', async t => {
  const { logs } = await openSandbox(t, { now: () => NOW })
  await createStream(logs, 'g', 'a-1')
  for (const logStreamName of ['a-2', 'b']) {
    await logs.send(new CreateLogStreamCommand({ logGroupName: 'g', logStreamName }))
  }
  for (const [logStreamName, offset] of [['b', -10], ['a-1', -5]] as const) {
    await logs.send(new PutLogEventsCommand({
      logGroupName: 'g',
      logStreamName,
      logEvents: [{ timestamp: NOW + offset, message: 'm' }, { timestamp: NOW + offset + 1, message: 'm' }]
    }))
  }
  const list = async (input: Partial<DescribeLogStreamsCommandInput>) =>
    (await logs.send(new DescribeLogStreamsCommand({
      logGroupName: 'g', ...input
    }))).logStreams!.map(({ logStreamName }) => logStreamName)
  t.same(await list({}), ['a-1', 'a-2', 'b'])
  t.same(await list({ logStreamNamePrefix: 'a' }), ['a-1', 'a-2'])
  t.same(await list({ descending: true, limit: 2 }), ['b', 'a-2'])
  t.same(await list({ orderBy: 'LastEventTime', descending: true }), ['a-1', 'b', 'a-2'])
  await t.rejects(list({ orderBy: 'LastEventTime', logStreamNamePrefix: 'a' }), { name: 'InvalidParameterException' })
  await t.rejects(list({ orderBy: 'Size' as 'LogStreamName' }), { name: 'InvalidParameterException' })
  await t.rejects(list({ logGroupName: 'none' }), { name: 'ResourceNotFoundException' })
  const { logStreams } = await logs.send(new DescribeLogStreamsCommand({ logGroupName: 'g', logStreamNamePrefix: 'b' }))
  t.match(logStreams, [{
    logStreamName: 'b',
    creationTime: NOW,
    firstEventTimestamp: NOW - 10,
    lastEventTimestamp: NOW - 9,
    lastIngestionTime: NOW
  }])
})

t.test('deleted groups and streams are gone', async t => {
  const { logs } = await openSandbox(t)
  await createStream(logs, 'g', 's')
  await logs.send(new DeleteLogStreamCommand({ logGroupName: 'g', logStreamName: 's' }))
  t.same((await logs.send(new DescribeLogStreamsCommand({ logGroupName: 'g' }))).logStreams, [])
  await logs.send(new DeleteLogGroupCommand({ logGroupName: 'g' }))
  await t.rejects(logs.send(new DeleteLogGroupCommand({ logGroupName: 'g' })), { name: 'ResourceNotFoundException' })
})

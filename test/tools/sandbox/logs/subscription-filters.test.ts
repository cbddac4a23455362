import {
  DeleteSubscriptionFilterCommand, DescribeSubscriptionFiltersCommand, PutLogEventsCommand, PutSubscriptionFilterCommand
} from '@aws-sdk/client-cloudwatch-logs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { decodeSubscription, type Subscription } from '../../../../lib/metering/subscription.js'
import type { SubscriptionEvent } from '../../../../tools/sandbox/logs/subscriptions.js'
import { createStream, openSandbox, type TestSandbox } from '../../../helpers/sandbox.js'

const arnOf = (name: string) => `arn:aws:lambda:us-east-1:000000000000:function:${name}`

async function open (
  t: Parameters<typeof openSandbox>[0]
): Promise<{ sandbox: TestSandbox, received: SubscriptionEvent[] }> {
  const sandbox = await openSandbox(t, { subscriptions: { retryDelaysMs: [10, 10] } })
  await createStream(sandbox.logs, 'access', 'stream')
  const received: SubscriptionEvent[] = []
  sandbox.setFunction('meter', async event => { received.push(event) })
  return { sandbox, received }
}

/** Resolves when the probe has been answered: a function's events come in no order that holds. */
async function subscribe (
  { logs, subscriptionsIdle }: TestSandbox,
  fields: Partial<ConstructorParameters<typeof PutSubscriptionFilterCommand>[0]> = {}
): Promise<void> {
  await logs.send(new PutSubscriptionFilterCommand({
    logGroupName: 'access',
    filterName: 'metering',
    filterPattern: '',
    destinationArn: arnOf('meter'),
    ...fields
  }))
  await subscriptionsIdle()
}

async function put ({ logs }: TestSandbox, ...messages: string[]): Promise<void> {
  await logs.send(new PutLogEventsCommand({
    logGroupName: 'access',
    logStreamName: 'stream',
    logEvents: messages.map(message => ({ timestamp: Date.now(), message }))
  }))
}

async function decode (events: SubscriptionEvent[]): Promise<Subscription[]> {
  return await Promise.all(events.map(async ({ awslogs }) => await decodeSubscription(awslogs.data)))
}

t.test('a new destination is probed, and then gets what is stored as real envelopes', async t => {
  const { sandbox, received } = await open(t)
  await put(sandbox, 'before')
  await subscribe(sandbox)
  await put(sandbox, 'one', 'two')
  await put(sandbox, 'three')
  await sandbox.subscriptionsIdle()
  const decoded = await decode(received)
  t.strictSame(decoded.map(({ kind }) => kind), ['probe', 'lines', 'lines'])
  const lines = decoded.flatMap(subscription => subscription.kind === 'lines' ? subscription.lines : [])
  t.strictSame(lines.map(({ text }) => text).sort(), ['one', 'three', 'two'])
  t.equal(new Set(lines.map(({ origin }) => origin.key)).size, 3, 'each event has an id of its own')
})

t.test('only what matches the pattern is delivered', async t => {
  const { sandbox, received } = await open(t)
  await subscribe(sandbox, { filterPattern: 'ERROR' })
  await put(sandbox, 'fine', 'ERROR one')
  await put(sandbox, 'fine')
  await sandbox.subscriptionsIdle()
  t.match(await decode(received), [{ kind: 'probe' }, { lines: [{ text: 'ERROR one' }] }])
})

t.test('a function that fails is tried twice more', async t => {
  const { sandbox } = await open(t)
  const outcomes = [false, false, false, true]
  let calls = 0
  sandbox.setFunction('meter', async () => {
    if (outcomes[calls++] === false) throw new Error('failed')
  })
  await subscribe(sandbox)
  t.equal(calls, 3, 'given up after the third')
  await put(sandbox, 'one')
  await sandbox.subscriptionsIdle()
  t.equal(calls, 4)
})

t.test('a function may be at a URL, which is told over HTTP', async t => {
  const { sandbox } = await open(t)
  const bodies: SubscriptionEvent[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', chunk => { text += chunk })
    request.on('end', () => {
      bodies.push(JSON.parse(text))
      response.writeHead(bodies.length === 1 ? 500 : 200).end('{}')
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise(resolve => server.close(resolve)))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/2015-03-31/functions/function/invocations`
  const tell = async (functions: unknown): Promise<number> =>
    (await fetch(`${sandbox.url}/_sandbox/functions`, { method: 'PUT', body: JSON.stringify(functions) })).status
  t.equal(await tell({ remote: url }), 204)
  t.equal(await tell({ remote: 'nowhere' }), 400)
  t.equal(await tell([7]), 400)
  await subscribe(sandbox, { destinationArn: arnOf('remote') })
  t.equal(bodies.length, 2)
  t.match(await decode(bodies), [{ kind: 'probe' }, { kind: 'probe' }])
  server.closeAllConnections()
})

t.test('filters are listed, replaced and deleted', async t => {
  const { sandbox, received } = await open(t)
  const list = async () =>
    (await sandbox.logs.send(new DescribeSubscriptionFiltersCommand({ logGroupName: 'access' }))).subscriptionFilters
  await subscribe(sandbox, { filterName: 'b' })
  await subscribe(sandbox, { filterName: 'a' })
  await subscribe(sandbox, { filterName: 'a', filterPattern: 'x' })
  t.match(await list(), [
    {
      filterName: 'a',
      filterPattern: 'x',
      logGroupName: 'access',
      destinationArn: arnOf('meter'),
      distribution: 'ByLogStream'
    },
    { filterName: 'b' }
  ])
  await t.rejects(subscribe(sandbox, { filterName: 'c' }), { name: 'LimitExceededException' })
  for (const filterName of ['a', 'b']) {
    await sandbox.logs.send(new DeleteSubscriptionFilterCommand({ logGroupName: 'access', filterName }))
  }
  t.strictSame(await list(), [])
  received.length = 0
  await put(sandbox, 'x')
  await sandbox.subscriptionsIdle()
  t.equal(received.length, 0)
})

t.test('what CloudWatch Logs refuses is refused', async t => {
  const { sandbox } = await open(t)
  await t.rejects(subscribe(sandbox, { logGroupName: 'none' }), { name: 'ResourceNotFoundException' })
  await t.rejects(subscribe(sandbox, { destinationArn: arnOf('none') }), {
    name: 'InvalidParameterException', message: /Could not execute the lambda function/
  })
  await t.rejects(subscribe(sandbox, { filterName: 'a:b' }), { name: 'InvalidParameterException' })
  await t.rejects(subscribe(sandbox, { filterName: '' }), { name: 'InvalidParameterException' })
  await t.rejects(subscribe(sandbox, { filterPattern: 'x'.repeat(1_025) }), { name: 'InvalidParameterException' })
  await t.rejects(
    sandbox.logs.send(new DeleteSubscriptionFilterCommand({ logGroupName: 'access', filterName: 'none' })),
    { name: 'ResourceNotFoundException' }
  )
})

t.test('a sandbox that stores nothing delivers all the same', async t => {
  const sandbox = await openSandbox(t, { keepItems: false })
  await createStream(sandbox.logs, 'access', 'stream')
  const received: SubscriptionEvent[] = []
  sandbox.setFunction('meter', async event => { received.push(event) })
  await subscribe(sandbox)
  await put(sandbox, 'one')
  await sandbox.subscriptionsIdle()
  t.equal(received.length, 2)
})

import t from 'tap'
import { createAuthorizer } from '../../lambda/authorizer-handler.js'
import { createEntitlement } from '../../lib/metering/entitlement.js'
import { lambdaContext, openHandler, recordedEvent } from '../helpers/lambda.js'
import { accessLogLine, accessLogLines, openTestPlatform, subscriptionEvent } from '../helpers/metering.js'

/** What goes wrong with the code that the platform's own guide for API Gateway has, defect by defect. */

async function openAuthorizer (t: Parameters<typeof openTestPlatform>[0]) {
  const { platform, sandbox } = await openTestPlatform(t, { timeoutMs: 1_500 })
  const entitlement = createEntitlement({
    platform,
    failMode: 'closed',
    now: Date.now,
    monotonicNow: () => performance.now(),
    onUnknown: () => {}
  })
  const authorize = createAuthorizer({
    entitlement,
    headerName: 'clientId',
    responseMode: 'policy',
    takeConfigFaults: () => 0,
    now: Date.now,
    write: () => {}
  })
  return { authorize: (event: unknown): Promise<any> => authorize(event, { functionName: 'authorizer' }), sandbox }
}

t.test('1: every call is billed to the application "user"', async t => {
  const { authorize, sandbox } = await openAuthorizer(t)
  sandbox.setClients({ acme: 'entitled' })
  const { principalId, context } = await authorize(await recordedEvent('http-2.0'))
  t.strictSame([principalId, context.clientId], ['acme', 'acme'])
  const test = await openTestPlatform(t)
  await openHandler(test).handle(subscriptionEvent([
    accessLogLine({ clientId: context.clientId, principalId: 'user' })
  ]))
  t.strictSame(test.sandbox.ledger().byApplication, { acme: 1 })
})

t.test('2: a client id smuggles a second parameter into the question', async t => {
  const { authorize, sandbox } = await openAuthorizer(t)
  sandbox.setClients({ valid: 'entitled' })
  const event = await recordedEvent('http-2.0')
  for (const clientId of [
    'x&productKey=valid', 'x%26productKey=valid', 'x#&productKey=valid', 'x productKey=valid', 'x+productKey=valid'
  ]) {
    event.headers.clientid = clientId
    t.match(await authorize(event), { policyDocument: { Statement: [{ Effect: 'Deny' }] } }, clientId)
  }
  t.notOk(sandbox.ledger().asked.valid)
})

t.test('3: only one of four kinds of events is understood', async t => {
  for (const name of ['rest-token', 'rest-request', 'http-1.0', 'http-2.0']) {
    const { authorize, sandbox } = await openAuthorizer(t)
    sandbox.setClients({ acme: 'entitled' })
    t.match(await authorize(await recordedEvent(name)), { policyDocument: { Statement: [{ Effect: 'Allow' }] } }, name)
  }
})

t.test('4: the answer for one route is kept for all, and denies them', async t => {
  const { authorize, sandbox } = await openAuthorizer(t)
  sandbox.setClients({ acme: 'entitled' })
  const event = await recordedEvent('http-2.0')
  const resourceFor = async (path: string): Promise<string> => {
    event.routeArn = `arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/${path}`
    return (await authorize(event)).policyDocument.Statement[0].Resource
  }
  t.equal(await resourceFor('GET/orders'), await resourceFor('POST/customers/7'))
})

t.test('5: what fails is printed, and lost', async t => {
  const test = await openTestPlatform(t)
  test.sandbox.faults.set([{ kind: 'answer', status: 500 }])
  const { handle, parking } = openHandler(test)
  await handle(subscriptionEvent(accessLogLines(4)))
  t.equal(parking.parked.flatMap(({ message }) => message.calls!).length, 4)
})

t.test('6: one line that is not JSON stops the batch', async t => {
  const test = await openTestPlatform(t)
  const [first, ...others] = accessLogLines(6)
  await openHandler(test).handle(subscriptionEvent([first!, 'not JSON', ...others]))
  t.equal(test.sandbox.ledger().metered, 6)
})

t.test('7: a control message is metered as a call', async t => {
  const test = await openTestPlatform(t)
  const { handle, parking } = openHandler(test)
  await handle(subscriptionEvent([accessLogLine()], { messageType: 'CONTROL_MESSAGE' }))
  t.strictSame([test.sandbox.ledger().calls, parking.deadLetters], [{}, []])
})

t.test('8: numbers are sent as texts, and "-" as a number', async t => {
  const test = await openTestPlatform(t)
  const { handle, parking } = openHandler(test)
  await handle(subscriptionEvent([accessLogLine({ integrationLatency: '-' })]))
  const { responseCode, responseMessageSize, ...body } = test.sandbox.events()[0]!.body
  t.strictSame([responseCode, responseMessageSize], [200, 1024])
  t.notOk('backendLatency' in body)
  t.strictSame(parking.deadLetters, [], 'the platform checks the types')
})

t.test('9: a slow platform makes the function run out of time, and Lambda meters everything again', async t => {
  const test = await openTestPlatform(t, { timeoutMs: 1_000 })
  test.sandbox.faults.set([{ kind: 'hang', afterStore: true, count: 3 }])
  const event = subscriptionEvent(accessLogLines(12))
  const context = lambdaContext(10_000)
  await openHandler(test).handle(event, context)
  t.ok(context.getRemainingTimeInMillis() > 0)
  await openHandler(test).handle(event)
  t.equal(test.sandbox.ledger().metered, 12)
  t.ok(test.sandbox.ledger().duplicates >= 12)
})

t.test('10: an outage, or a rotated key, denies every client', async t => {
  for (const fault of [{ kind: 'answer', status: 401 }, { kind: 'answer', status: 503 }, { kind: 'reset' }] as const) {
    const { authorize, sandbox } = await openAuthorizer(t)
    sandbox.setClients({ acme: 'entitled' })
    await authorize(await recordedEvent('http-2.0'))
    sandbox.faults.set([fault])
    t.match(await authorize(await recordedEvent('http-2.0')), { policyDocument: { Statement: [{ Effect: 'Allow' }] } })
    const stranger = await recordedEvent('http-2.0')
    stranger.headers.clientid = 'stranger'
    await t.rejects(
      authorize(stranger), { name: 'EntitlementUnknownError' }, 'refused, but not with an answer that is kept'
    )
  }
})

// 11, a template without half of what it needs, is in test/infra/metering-templates.test.ts

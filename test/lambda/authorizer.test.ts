import t from 'tap'
import { createAuthorizer, EntitlementUnknownError, type AuthorizerOptions } from '../../lambda/authorizer-handler.js'
import { AuthorizerEventError } from '../../lambda/authorizer-event.js'
import { createEntitlement } from '../../lib/metering/entitlement.js'
import type { FailMode } from '../../schemas/metering-settings.js'
import { recordedEvent } from '../helpers/lambda.js'
import { openTestPlatform } from '../helpers/metering.js'

const SHAPES: Record<string, { resource: string, carries: (event: any, clientId: string | undefined) => void }> = {
  'rest-token': {
    resource: 'arn:aws:execute-api:us-west-2:123456789012:ymy8tbxw7b/*/*',
    carries: (event, clientId) => { event.authorizationToken = clientId }
  },
  'rest-request': {
    resource: 'arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/*',
    carries: (event, clientId) => { event.headers.clientId = clientId }
  },
  'http-1.0': {
    resource: 'arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/*',
    carries: (event, clientId) => { event.headers.clientId = clientId }
  },
  'http-2.0': {
    resource: 'arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/*',
    carries: (event, clientId) => { event.headers.clientid = clientId }
  }
}

async function open (
  t: Parameters<typeof openTestPlatform>[0], options: Partial<AuthorizerOptions> & { failMode?: FailMode } = {}
) {
  const { platform, sandbox } = await openTestPlatform(t, { timeoutMs: 1_500 })
  sandbox.setClients({ acme: 'entitled' })
  const clock = { now: 1_000_000 }
  const logged: any[] = []
  const entitlement = createEntitlement({
    platform,
    failMode: options.failMode ?? 'closed',
    now: () => clock.now,
    monotonicNow: () => clock.now,
    onUnknown: () => {}
  })
  const authorize = createAuthorizer({
    entitlement,
    headerName: 'clientId',
    responseMode: 'policy',
    takeConfigFaults: () => 0,
    now: () => clock.now,
    write: line => { logged.push(JSON.parse(line)) },
    ...options
  })
  return {
    authorize: (event: unknown): Promise<any> => authorize(event, { functionName: 'authorizer' }),
    sandbox,
    clock,
    logged
  }
}

for (const [name, { resource, carries }] of Object.entries(SHAPES)) {
  t.test(`${name}: an entitled client may call everything in the stage`, async t => {
    const { authorize } = await open(t)
    t.strictSame(await authorize(await recordedEvent(name)), {
      principalId: 'acme',
      policyDocument: {
        Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: resource }]
      },
      context: { clientId: 'acme', entitlement: 'entitled' }
    })
  })

  t.test(`${name}: a client that the platform does not know is denied`, async t => {
    const { authorize } = await open(t)
    const event = await recordedEvent(name)
    carries(event, 'nobody')
    t.match(await authorize(event), {
      principalId: 'nobody',
      policyDocument: { Statement: [{ Effect: 'Deny', Resource: resource }] },
      context: { clientId: 'nobody', entitlement: 'denied' }
    })
  })

  t.test(`${name}: a client id that cannot be one is denied without a call, and is not logged`, async t => {
    const { authorize, sandbox } = await open(t)
    const event = await recordedEvent(name)
    for (const clientId of [undefined, '', 'a&b', '100%', 'a\u0000b', 'x'.repeat(10_240)]) {
      carries(event, clientId)
      const answer = await authorize(event)
      t.match(answer, {
        principalId: '-', policyDocument: { Statement: [{ Effect: 'Deny' }] }, context: { entitlement: 'denied' }
      })
      t.notOk('clientId' in answer.context)
    }
    t.notOk(sandbox.ledger().calls['product-key'])
  })
}

t.test('the header is found in any case', async t => {
  const { authorize } = await open(t)
  for (const header of ['clientId', 'clientid', 'CLIENTID', 'ClientId']) {
    const event = { ...await recordedEvent('rest-request'), headers: { [header]: 'acme' } }
    t.match(await authorize(event), { principalId: 'acme' }, header)
  }
})

t.test('a header that was sent with two values gets no answer that API Gateway could keep', async t => {
  const { authorize, sandbox, logged } = await open(t)
  const event = await recordedEvent('rest-request')
  for (const headers of [
    { multiValueHeaders: { clientId: ['acme', 'other'] } }, { headers: { clientId: 'other', CLIENTID: 'acme' } }
  ]) {
    await t.rejects(authorize({ ...event, ...headers }), { name: 'AmbiguousClientError', message: 'Unauthorized' })
  }
  t.match(logged, [
    { FunctionName: 'authorizer', AmbiguousClients: 1, UnknownVerdicts: 0, ConfigFaults: 0 }, { AmbiguousClients: 1 }
  ])
  t.notOk(sandbox.ledger().calls['product-key'])
  t.match(await authorize({ ...event, multiValueHeaders: { clientId: ['acme'] } }), { principalId: 'acme' })
})

t.test('a bearer token is the client id', async t => {
  const { authorize } = await open(t)
  t.match(
    await authorize({ ...await recordedEvent('rest-token'), authorizationToken: 'Bearer acme' }),
    { principalId: 'acme' }
  )
})

t.test('the path of the caller is never part of the policy', async t => {
  const { authorize } = await open(t)
  const event = await recordedEvent('http-2.0')
  for (const path of ['*', '../../*', 'a/b?c=*', 'x'.repeat(1_500)]) {
    event.routeArn = `arn:aws:execute-api:us-east-1:123456789012:abcdef123/$default/GET/${path}`
    t.match(await authorize(event), {
      policyDocument: { Statement: [{ Resource: 'arn:aws:execute-api:us-east-1:123456789012:abcdef123/$default/*' }] }
    })
  }
})

t.test('other partitions have ARNs, too', async t => {
  const { authorize } = await open(t)
  const event = {
    ...await recordedEvent('rest-request'),
    methodArn: 'arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abc/prod/GET/x'
  }
  t.match(await authorize(event), {
    policyDocument: { Statement: [{ Resource: 'arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abc/prod/*' }] }
  })
})

t.test('an event that is none is an error, not a policy', async t => {
  const { authorize } = await open(t)
  const event = await recordedEvent('rest-request')
  for (const bad of [
    null,
    [],
    'x',
    {},
    { ...event, methodArn: undefined },
    { ...event, methodArn: 'arn:aws:s3:::bucket/key' },
    { ...event, methodArn: 'arn:aws:execute-api:r:1:api' }
  ]) {
    await t.rejects(authorize(bad), AuthorizerEventError)
  }
  t.match(await authorize({ ...event, headers: null }), { principalId: '-' })
})

t.test('a simple answer is given to those who understand it', async t => {
  const { authorize } = await open(t, { responseMode: 'simple' })
  t.strictSame(await authorize(await recordedEvent('http-2.0')), {
    isAuthorized: true, context: { clientId: 'acme', entitlement: 'entitled' }
  })
  t.match(await authorize({ ...await recordedEvent('http-2.0'), headers: {} }), { isAuthorized: false })
  t.match(await authorize(await recordedEvent('rest-request')), { policyDocument: {} })
})

t.test('what nobody knows is an error that is not kept, and is logged', async t => {
  for (const status of [401, 429, 500]) {
    const { authorize, sandbox, logged } = await open(t)
    sandbox.faults.set([{ kind: 'answer', status }])
    await t.rejects(authorize(await recordedEvent('http-2.0')), EntitlementUnknownError)
    t.match(logged, [{ level: 'error', allowed: false }, { FunctionName: 'authorizer', UnknownVerdicts: 1 }])
    t.notMatch(JSON.stringify(logged), /hak_sandbox/)
  }
})

t.test('FAIL_MODE open lets pass what nobody knows, and marks it', async t => {
  const { authorize, sandbox, logged } = await open(t, { failMode: 'open' })
  sandbox.faults.set([{ kind: 'answer', status: 503 }])
  t.match(await authorize(await recordedEvent('rest-request')), {
    policyDocument: { Statement: [{ Effect: 'Allow' }] }, context: { entitlement: 'unknown' }
  })
  t.match(logged, [
    { level: 'error', allowed: true },
    { _aws: { CloudWatchMetrics: [{ Namespace: 'Metering' }] }, FunctionName: 'authorizer', UnknownVerdicts: 1 }
  ])
})

t.test('an outage does not turn away who was entitled before', async t => {
  const { authorize, sandbox, clock } = await open(t)
  await authorize(await recordedEvent('rest-request'))
  sandbox.faults.set([{ kind: 'answer', status: 503 }])
  clock.now += 120_000
  t.match(await authorize(await recordedEvent('rest-request')), {
    policyDocument: { Statement: [{ Effect: 'Allow' }] }
  })
})

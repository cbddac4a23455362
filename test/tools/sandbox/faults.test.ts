import { PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import t, { type Test } from 'tap'
import type { FaultRule } from '../../../tools/sandbox/fault-plan.js'
import { createStream, openSandbox, type TestSandbox, type TestSandboxOptions } from '../../helpers/sandbox.js'

interface Wanted {
  name: string
  [field: string]: unknown
}

interface Rig extends TestSandbox {
  log (message?: string, logGroupName?: string): Promise<unknown>
  metric (MetricName?: string, Namespace?: string): Promise<unknown>
  stored (): string[]
}

async function openRig (t: Test, options: TestSandboxOptions = {}): Promise<Rig> {
  const sandbox = await openSandbox(t, options)
  await createStream(sandbox.logs, 'g', 's')
  return {
    ...sandbox,
    log: (message = 'm', logGroupName = 'g') =>
      sandbox.logs.send(new PutLogEventsCommand({
        logGroupName, logStreamName: 's', logEvents: [{ timestamp: Date.now(), message }]
      })),
    metric: (MetricName = 'm', Namespace = 'app') =>
      sandbox.cloudwatch.send(new PutMetricDataCommand({ Namespace, MetricData: [{ MetricName, Value: 1 }] })),
    stored: () => [...sandbox.items()].map(({ message }) => message)
  }
}

/** Lets a promise that never settles on its own be awaited without a wait. */
async function settled (promise: Promise<unknown>, withinMs: number): Promise<boolean> {
  return await Promise.race([
    promise.then(() => true, () => true),
    new Promise<boolean>(resolve => setTimeout(resolve, withinMs, false))
  ])
}

t.test('answers of each kind, as the SDK sees them', async t => {
  const rig = await openRig(t)
  const expectations: [FaultRule, Wanted, Wanted][] = [
    [
      { kind: 'throttle' },
      { name: 'ThrottlingException', $metadata: { httpStatusCode: 400 } },
      { name: 'Throttling', $metadata: { httpStatusCode: 400 } }
    ],
    [
      { kind: 'error' },
      { name: 'InternalFailure', $metadata: { httpStatusCode: 500 } },
      { name: 'InternalFailure', $metadata: { httpStatusCode: 500 } }
    ],
    [
      { kind: 'error', status: 502 },
      { name: 'BadGateway', $metadata: { httpStatusCode: 502 } },
      { name: 'BadGateway', $metadata: { httpStatusCode: 502 } }
    ],
    [
      { kind: 'error', status: 503 },
      { name: 'ServiceUnavailableException', $metadata: { httpStatusCode: 503 } },
      { name: 'ServiceUnavailable', $metadata: { httpStatusCode: 503 } }
    ],
    [
      { kind: 'error', status: 504, code: 'Slow', message: 'too slow' },
      { name: 'Slow', message: /too slow/, $metadata: { httpStatusCode: 504 } },
      { name: 'Slow' }
    ],
    [
      { kind: 'refuse' },
      { name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } },
      { name: 'AccessDenied', $metadata: { httpStatusCode: 400 } }
    ],
    [{ kind: 'refuse', code: 'ExpiredTokenException' }, { name: 'ExpiredTokenException' }, { name: 'ExpiredToken' }],
    [
      { kind: 'refuse', code: 'UnrecognizedClientException', message: 'who?' },
      { name: 'UnrecognizedClientException', message: 'who?' },
      { name: 'InvalidClientTokenId' }
    ],
    [{ kind: 'garbage' }, { name: 'SyntaxError', $metadata: { httpStatusCode: 200 } }, { name: 'SyntaxError' }],
    [{ kind: 'reset' }, { name: 'TimeoutError', code: 'ECONNRESET' }, { name: 'TimeoutError', code: 'ECONNRESET' }]
  ]
  for (const [rule, logError, metricError] of expectations) {
    rig.faults.set([rule])
    await t.rejects(rig.log(), logError, `log: ${JSON.stringify(rule)}`)
    await t.rejects(rig.metric(), metricError, `metric: ${JSON.stringify(rule)}`)
  }
  t.same(rig.stored(), [])
  t.same(rig.series(), [])
  rig.faults.clear()
  await t.resolves(rig.log())
  t.match(rig.ledger().errors.PutLogEvents, { ThrottlingException: 1, AccessDeniedException: 1, garbage: 1, reset: 1 })
})

t.test('with afterStore the work is done and only the answer is lost', async t => {
  const rig = await openRig(t)
  for (const kind of ['throttle', 'error', 'refuse', 'garbage', 'reset'] as const) {
    rig.faults.set([{ kind, afterStore: true }])
    await t.rejects(rig.log(kind), kind)
  }
  t.same(rig.stored(), ['throttle', 'error', 'refuse', 'garbage', 'reset'])
  t.equal(rig.ledger().events, 5)
})

t.test('a rule concerns the calls that meet all its conditions', async t => {
  const rig = await openRig(t)
  await createStream(rig.logs, 'other', 's')

  rig.faults.set([{ kind: 'refuse', action: 'PutMetricData' }])
  await t.resolves(rig.log())
  await t.rejects(rig.metric())

  rig.faults.set([{ kind: 'refuse', logGroupName: 'other' }])
  await t.resolves(rig.log())
  await t.rejects(rig.log('m', 'other'))
  await t.resolves(rig.metric())

  rig.faults.set([{ kind: 'refuse', namespace: 'bad' }])
  await t.resolves(rig.metric('m', 'app'))
  await t.rejects(rig.metric('m', 'bad'))

  rig.faults.set([{
    kind: 'refuse',
    action: 'PutLogEvents',
    messageIncludes: 'poison',
    code: 'InvalidParameterException',
    message: 'bad event'
  }])
  await t.resolves(rig.log('fine'))
  await t.rejects(rig.log('some poison here'), { name: 'InvalidParameterException', message: 'bad event' })

  rig.faults.set([{
    kind: 'refuse',
    metricName: 'poison',
    code: 'InvalidParameterValueException',
    message: 'bad datum'
  }])
  await t.resolves(rig.metric('fine'))
  await t.rejects(rig.metric('poison'), { name: 'InvalidParameterValueException', message: 'bad datum' })
})

t.test('a rule with a count goes after that many calls, and the next one takes over', async t => {
  const rig = await openRig(t)
  rig.faults.set([{ kind: 'throttle', count: 2 }, { kind: 'refuse', count: 1 }])
  await t.rejects(rig.log(), { name: 'ThrottlingException' })
  t.match(rig.faults.list().rules, [{ kind: 'throttle', count: 1 }, { kind: 'refuse', count: 1 }])
  await t.rejects(rig.log(), { name: 'ThrottlingException' })
  await t.rejects(rig.log(), { name: 'AccessDeniedException' })
  t.same(rig.faults.list().rules, [])
  await t.resolves(rig.log())
})

t.test('the SDK retries what AWS says can be retried', async t => {
  const rig = await openRig(t, { maxAttempts: 3 })
  rig.faults.set([{ kind: 'throttle', count: 1 }, { kind: 'error', status: 503, count: 1 }])
  await t.resolves(rig.log())
  rig.faults.set([{ kind: 'throttle', count: 1 }, { kind: 'reset', count: 1 }])
  await t.resolves(rig.metric())
  rig.faults.set([{ kind: 'refuse', count: 1 }])
  await t.rejects(rig.log(), { name: 'AccessDeniedException' })
  t.match(rig.ledger().calls, { PutLogEvents: 4, PutMetricData: 3 })
})

t.test('a share hits that part of the calls, the same ones for the same seed', async t => {
  const rig = await openRig(t)
  const run = async (seed: number, share: number): Promise<string> => {
    rig.faults.set({ seed, rules: [{ kind: 'throttle', share }] })
    let outcome = ''
    for (let i = 0; i < 60; i++) outcome += await rig.log().then(() => '.', () => 'x')
    return outcome
  }
  const first = await run(7, 0.5)
  const hits = [...first].filter(mark => mark === 'x').length
  t.ok(hits > 15 && hits < 45, first)
  t.equal(await run(7, 0.5), first)
  t.not(await run(8, 0.5), first)
  t.equal(await run(7, 0), '.'.repeat(60))
})

t.test('delay serves late, and lets the rules after it fire too', async t => {
  const rig = await openRig(t)
  rig.faults.set([{ kind: 'delay', delayMs: 150 }, { kind: 'throttle', count: 1 }])
  const start = performance.now()
  await t.rejects(rig.log('a'), { name: 'ThrottlingException' })
  t.ok(performance.now() - start >= 145)
  await t.resolves(rig.log('b'))
  t.same(rig.stored(), ['b'])
})

t.test('hang leaves the call without an answer until the faults are cleared', async t => {
  const rig = await openRig(t)
  rig.faults.set([{ kind: 'hang' }])
  const call = rig.log()
  t.notOk(await settled(call, 200))
  rig.faults.clear()
  await t.rejects(call, { code: 'ECONNRESET' })
  t.same(rig.stored(), [])
})

t.test('close cuts calls that hang or are delayed', async t => {
  const rig = await openRig(t)
  rig.faults.set([{ kind: 'hang', action: 'PutMetricData' }, { kind: 'delay', delayMs: 60_000 }])
  const calls = [rig.log(), rig.metric()]
  t.notOk(await settled(Promise.any(calls), 200))
  await rig.close()
  await rig.close()
  for (const call of calls) await t.rejects(call)
})

t.test('a rate limit throttles what goes beyond it and lets through again as time goes by', async t => {
  let now = Date.now()
  const rig = await openRig(t, { now: () => now })
  rig.faults.set({ rateLimit: { action: 'PutLogEvents', perSecond: 2 } })
  const outcomes = async (calls: number): Promise<string> => {
    let outcome = ''
    for (let i = 0; i < calls; i++) outcome += await rig.log().then(() => '.', () => 'x')
    return outcome
  }
  t.equal(await outcomes(4), '..xx')
  await t.resolves(rig.metric())
  now += 500
  t.equal(await outcomes(2), '.x')
  now += 60_000
  t.equal(await outcomes(3), '..x')
})

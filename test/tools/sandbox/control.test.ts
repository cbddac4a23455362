import { PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import t from 'tap'
import { createStream, openSandbox, type TestSandbox } from '../../helpers/sandbox.js'

const NOW = Date.UTC(2026, 5, 15, 12)
const DAY = 24 * 3_600_000

async function call (sandbox: TestSandbox, method: string, path: string, body?: unknown): Promise<Response> {
  return await fetch(`${sandbox.url}/_sandbox${path}`, {
    method, ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
}

async function read (sandbox: TestSandbox, path: string): Promise<any> {
  return await (await call(sandbox, 'GET', path)).json()
}

/** Two log calls, two metric calls, two refusals. */
async function deliver (sandbox: TestSandbox): Promise<void> {
  const { logs, cloudwatch } = sandbox
  await createStream(logs, 'g', 's')
  await createStream(logs, 'h', 's')
  const put = (logGroupName: string, offsets: number[]) => logs.send(new PutLogEventsCommand({
    logGroupName,
    logStreamName: 's',
    logEvents: offsets.map(offset => ({ timestamp: NOW + offset, message: `${logGroupName} ${offset}` }))
  }))
  await put('g', [-15 * DAY, 0, 1])
  await put('h', [0])
  await put('none', [0]).catch(() => {})
  await cloudwatch.send(new PutMetricDataCommand({
    Namespace: 'app', MetricData: [{ MetricName: 'm', Values: [1, 2], Counts: [3, 4], Timestamp: new Date(NOW) }]
  }))
  await cloudwatch.send(new PutMetricDataCommand({
    Namespace: 'web',
    MetricData: [
      { MetricName: 'm', Value: 1 },
      { MetricName: 'm', StatisticValues: { SampleCount: 5, Sum: 9, Minimum: 1, Maximum: 3 } }
    ]
  }))
  await cloudwatch.send(new PutMetricDataCommand({ Namespace: 'app', MetricData: [] })).catch(() => {})
}

t.test('the ledger counts calls, errors, items and how full the calls were', async t => {
  const sandbox = await openSandbox(t, { now: () => NOW })
  await deliver(sandbox)
  const ledger = await read(sandbox, '/ledger')
  t.same(ledger, sandbox.ledger())
  t.match(ledger, {
    calls: { CreateLogGroup: 2, CreateLogStream: 2, PutLogEvents: 3, PutMetricData: 3 },
    errors: { PutLogEvents: { ResourceNotFoundException: 1 }, PutMetricData: { MissingRequiredParameterException: 1 } },
    events: 3,
    rejected: { 'too-old': 1, 'too-new': 0, expired: 0 },
    datums: 3,
    dataPoints: 7 + 1 + 5,
    bytes: { PutLogEvents: 'g -1296000000g 0g 1h 0'.length + 4 * 26 },
    fill: {
      PutLogEvents: { calls: 2, mean: Number, min: 1 / 10_000, max: 3 / 10_000 },
      PutMetricData: { calls: 2, mean: Number, min: 1 / 1_000, max: 2 / 1_000 }
    }
  })
  t.ok(Math.abs(ledger.fill.PutLogEvents.mean - 2 / 10_000) < 1e-12)
})

t.test('items streams the stored events as lines of JSON', async t => {
  const sandbox = await openSandbox(t, { now: () => NOW })
  await deliver(sandbox)
  const lines = async (query: string): Promise<object[]> =>
    (await (await call(sandbox, 'GET', `/items${query}`)).text()).trimEnd().split('\n').map(line => JSON.parse(line))
  t.same(await lines('?logGroupName=g'), [
    { logGroupName: 'g', logStreamName: 's', timestamp: NOW, message: 'g 0' },
    { logGroupName: 'g', logStreamName: 's', timestamp: NOW + 1, message: 'g 1' }
  ])
  t.equal((await lines('')).length, 3)
})

t.test('items keeps every one of many events', async t => {
  const sandbox = await openSandbox(t)
  await createStream(sandbox.logs, 'g', 's')
  const timestamp = Date.now()
  for (let call = 0; call < 3; call++) {
    await sandbox.logs.send(new PutLogEventsCommand({
      logGroupName: 'g',
      logStreamName: 's',
      logEvents: Array.from({ length: 10_000 }, (_, i) => ({ timestamp, message: `${call}-${i}-`.padEnd(60, 'x') }))
    }))
  }
  const lines = (await (await call(sandbox, 'GET', '/items')).text()).trimEnd().split('\n')
  t.equal(lines.length, 30_000)
  t.equal(new Set(lines).size, 30_000)
})

t.test('series and calls tell what was put', async t => {
  const sandbox = await openSandbox(t, { now: () => NOW })
  await deliver(sandbox)
  t.same(await read(sandbox, '/series?namespace=app'), [{
    namespace: 'app',
    metricName: 'm',
    dimensions: [],
    buckets: [{ timestamp: NOW, resolution: 60, unit: 'None', values: [1, 2], counts: [3, 4], statisticValues: null }]
  }])
  t.equal((await read(sandbox, '/series')).length, 2)
  const calls = await read(sandbox, '/calls?limit=2')
  t.match(calls, [
    { action: 'PutMetricData', destination: 'web', items: 2, at: NOW, status: 200 },
    {
      action: 'PutMetricData',
      destination: 'app',
      items: 0,
      at: NOW,
      status: 400,
      error: 'MissingRequiredParameterException'
    }
  ])
  t.match(sandbox.calls()[4], { action: 'PutLogEvents', destination: 'g:s', items: 3, bytes: Number })
})

t.test('faults are told, listed and cleared', async t => {
  const sandbox = await openSandbox(t)
  const rules = [{ kind: 'throttle', action: 'PutLogEvents', share: 0.5 }]
  const rateLimit = [{ action: 'CreateLogStream', perSecond: 50 }]
  t.equal((await call(sandbox, 'PUT', '/faults', { seed: 3, rules, rateLimit: rateLimit[0] })).status, 200)
  t.same(await read(sandbox, '/faults'), { rules, rateLimit })
  t.equal((await call(sandbox, 'PUT', '/faults', [{ kind: 'reset' }])).status, 200)
  t.same(await read(sandbox, '/faults'), { rules: [{ kind: 'reset' }], rateLimit: [] })
  t.equal((await call(sandbox, 'DELETE', '/faults')).status, 204)
  t.same(await read(sandbox, '/faults'), { rules: [], rateLimit: [] })
})

t.test('a plan with a mistake is refused by the name of its field and changes nothing', async t => {
  const sandbox = await openSandbox(t)
  sandbox.faults.set([{ kind: 'reset' }])
  const mistakes: [unknown, RegExp][] = [
    [{ rules: [{ kind: 'explode' }] }, /rules\[0\]\.kind must be one of throttle/],
    [[{ action: 'PutLogEvents' }], /rules\[0\]\.kind must be/],
    [[{ kind: 'reset', shere: 1 }], /rules\[0\]\.shere is not known/],
    [[{ kind: 'reset', share: 2 }], /rules\[0\]\.share must be a number from 0 to 1/],
    [[{ kind: 'reset', count: 0 }], /count must be a positive integer/],
    [[{ kind: 'error', status: 404 }], /status must be one of 500/],
    [[{ kind: 'delay' }], /delayMs must be a positive number/],
    [[{ kind: 'reset', afterStore: 'yes' }], /afterStore must be true or false/],
    [{ rateLimit: { action: 'PutLogEvents' } }, /rateLimit must have action and perSecond/],
    [{ seed: 'x' }, /seed must be an integer/],
    [{ rule: [] }, /plan\.rule is not known/],
    [7, /plan must be an object/]
  ]
  for (const [plan, message] of mistakes) {
    const response = await call(sandbox, 'PUT', '/faults', plan)
    t.equal(response.status, 400)
    t.match(await response.json(), { message })
  }
  t.same(sandbox.faults.list().rules, [{ kind: 'reset' }])
})

t.test('a reset forgets everything', async t => {
  const sandbox = await openSandbox(t, { now: () => NOW })
  await deliver(sandbox)
  sandbox.faults.set([{ kind: 'throttle' }])
  t.equal((await call(sandbox, 'DELETE', '')).status, 204)
  t.match(sandbox.ledger(), { calls: {}, errors: {}, events: 0, datums: 0, dataPoints: 0, bytes: {}, fill: {} })
  t.same([...sandbox.items()], [])
  t.same(sandbox.series(), [])
  t.same(sandbox.calls(), [])
  await t.resolves(deliver(sandbox), 'log groups can be made again and no fault is left')
})

t.test('with keepItems off everything is counted and nothing is kept', async t => {
  const sandbox = await openSandbox(t, { now: () => NOW, keepItems: false })
  await deliver(sandbox)
  t.match(sandbox.ledger(), { events: 3, dataPoints: 13, rejected: { 'too-old': 1 } })
  t.same([...sandbox.items()], [])
  t.same(sandbox.series(), [])
})

t.test('an unknown control route is not found', async t => {
  const sandbox = await openSandbox(t)
  t.equal((await call(sandbox, 'GET', '/nothing')).status, 404)
  t.equal((await call(sandbox, 'POST', '/faults')).status, 404)
})

import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startSandbox } from '../../tools/sandbox/server.js'
import { eventually } from '../helpers/app.js'
import { ADMIN_TOKEN, childrenOf, lives, startForkedGateway } from '../helpers/forked-gateway.js'

const ADMIN = { authorization: `Bearer ${ADMIN_TOKEN}` }
const WEB_PROCESSES = 2
const FAILURES_PER_MINUTE = 40
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

interface Line { process?: string, pid?: number, msg?: string, level?: number }

t.test('several processes are one gateway', async t => {
  const sandbox = await startSandbox({})
  t.teardown(() => sandbox.close())
  const gateway = await startForkedGateway(t, {
    DATA_DIR: t.testdir({ '.env': `\uFEFFWEB_CONCURRENCY=${WEB_PROCESSES}\r\n` }),
    WEB_CONCURRENCY: undefined,
    AWS_ENDPOINT_URL: sandbox.url,
    FAILURES_PER_MINUTE: String(FAILURES_PER_MINUTE),
    MAX_SERIES_PER_METRIC: '5'
  })
  await gateway.ready()
  await gateway.whole()
  const token = await gateway.token()

  await t.test('their number is the first variable of a .env with a byte order mark', async t => {
    t.equal(childrenOf(gateway.pid).length, WEB_PROCESSES)
  })

  await t.test('what any of them takes is delivered, and counted once', async t => {
    const answers = await Promise.all(range(40).map(i => gateway.send(token, `event ${i}`)))
    for (const { status } of answers) t.equal(status, 201)
    // Counted when CloudWatch's answer is noted, after the sandbox has counted them.
    const metrics = await eventually(async () => {
      const answer = await gateway.metrics()
      return answer.get('cloudwatch_postman_delivered_total{kind="logs"}') === 40 ? answer : undefined
    })
    t.equal(sandbox.ledger().events, 40)
    t.equal(metrics.get('cloudwatch_postman_accepted_total{kind="logs"}'), 40)
    const ledger = 'cloudwatch_postman_ledger_items{outcome="accepted"}'
    t.equal(metrics.get(ledger), 40, 'the store is not counted by each')
    const labels = 'method="POST",route="/logEvents",status="201"'
    const requests = `cloudwatch_postman_http_request_seconds_count{${labels}}`
    t.equal(metrics.get(requests), 40)
    const usage = await eventually(async () => {
      const { body } = await gateway.ask('/admin/usage', { headers: ADMIN })
      const report = JSON.parse(body) as { usage: Array<{ application: string, logs?: { items: number } }> }
      return body.includes('40') ? report : undefined
    })
    t.ok(usage.usage.length > 0)
  })

  await t.test('a request waits for its delivery by the other process', async t => {
    const { status, headers } = await gateway.send(token, 'waits', { prefer: 'wait=20' })
    t.equal(status, 201)
    t.equal(headers['preference-applied'], 'wait=20')
  })

  await t.test('a repeated request is known to all', async t => {
    const key = randomUUID()
    const answers = []
    for (let i = 0; i < 4; i++) answers.push(await gateway.send(token, 'once', { 'idempotency-key': key }))
    t.same(answers.map(({ status }) => status), [201, 201, 201, 201])
    t.same(answers.map(({ headers }) => headers['idempotency-replayed']), [undefined, 'true', 'true', 'true'])
    t.equal((await gateway.send(token, 'other', { 'idempotency-key': key })).status, 422)
  })

  await t.test('a limit on series holds over all', async t => {
    for (const page of range(8)) {
      const { status } = await gateway.ask('/metric', {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: {
          params: {
            Namespace: 'forked',
            MetricData: [{ MetricName: 'm', Value: 1, Dimensions: [{ Name: 'Page', Value: `/${page}` }] }]
          }
        }
      })
      t.equal(status, 201)
    }
    const series = await eventually(() => {
      const found = sandbox.series('forked')
      return found.length === 6 ? found : undefined
    })
    t.equal(series.length, 6, 'five, and one for all others')
  })

  await t.test('GET /test sends its metric', async t => {
    t.equal((await gateway.ask('/test')).status, 200)
  })

  await t.test('a revoked token is refused by all', async t => {
    const revoked = await gateway.token()
    const { jti } = JSON.parse(Buffer.from(revoked.split('.')[1]!, 'base64url').toString()) as { jti: string }
    t.equal((await gateway.ask('/admin/revocations', { method: 'POST', headers: ADMIN, body: { jti } })).status, 201)
    await sleep(200)
    for (let i = 0; i < 4; i++) t.equal((await gateway.send(revoked, 'revoked')).status, 401)
    t.match((await gateway.ask('/admin/revocations', { headers: ADMIN })).body, jti)
  })

  await t.test('the limit on failures of an IP is one limit', async t => {
    const guess = () => gateway.ask('/admin/usage', { headers: { authorization: 'Bearer wrong' } })
    for (let i = 0; i < FAILURES_PER_MINUTE; i++) await guess()
    // A process that has not heard of the last ones may let a few more pass.
    await sleep(700)
    await Promise.all(range(6).map(guess))
    await sleep(700)
    const answers = await Promise.all(range(6).map(guess))
    t.same(answers.map(({ status }) => status), range(6).map(() => 429))
  })

  await t.test('one that is killed is told of and started again, and no count falls', async t => {
    const [victim] = childrenOf(gateway.pid)
    const before = JSON.parse((await gateway.ask('/health/ready')).body) as { failing: unknown[] }
    t.same(before.failing, [])
    process.kill(victim!, 'SIGKILL')
    const failing = await eventually(async () => {
      // A connection that was handed to the process in the moment of its end is not answered.
      const answer = await gateway.ask('/health/ready', { timeoutMs: 1_000 }).catch(() => undefined)
      if (answer === undefined) return undefined
      t.equal(answer.status, 200, 'the others go on')
      return answer.body.includes('processes') ? JSON.parse(answer.body) as { failing: object[] } : undefined
    })
    t.same(failing.failing, [{ part: 'processes', class: 'absent' }])
    await gateway.whole()
    t.equal(childrenOf(gateway.pid).length, WEB_PROCESSES)
    const answers = await Promise.all(range(10).map(i => gateway.send(token, `after ${i}`)))
    for (const { status } of answers) t.equal(status, 201)
    t.match(gateway.output(), /"msg":"a web process has ended, and is started again"/)
  })

  await t.test('SIGTERM: all is answered and delivered, every process ends, and the log is one', async t => {
    const pids = [gateway.pid, ...childrenOf(gateway.pid)]
    const answers = await Promise.all(range(20).map(i => gateway.send(token, `last ${i}`)))
    gateway.kill('SIGTERM')
    for (const { status } of answers) t.equal(status, 201)
    t.equal(await gateway.exit, 0)
    const messages = [...sandbox.items('/forked')].map(({ message }) => message)
    t.equal(new Set(messages).size, messages.length)
    for (const i of range(20)) t.ok(messages.includes(`last ${i}`))
    for (const pid of pids) t.notOk(lives(pid), `process ${pid} has ended`)
    const lines = gateway.output().trim().split('\n').map(line => JSON.parse(line) as Line)
    const names = new Set(lines.map(({ process }) => process))
    t.same([...names].sort(), ['primary', 'web 1', 'web 2'], 'each line names its process')
    t.equal(lines.filter(({ msg }) => msg?.includes('WEB_CONCURRENCY')).length, 0)
  })
})

t.test('a fault stops the start, and is told once', async t => {
  const expected =
    /^The configuration cannot be used\.\n {2}WEB_CONCURRENCY is wrong: it must be .*\nSee \.env\.example\.\n$/
  // One is refused by the process alone, the other by the primary.
  await Promise.all(['abc', '1000'].map(async WEB_CONCURRENCY => {
    const { exit, output } = await startForkedGateway(t, { WEB_CONCURRENCY })
    t.equal(await exit, 1, WEB_CONCURRENCY)
    t.match(output(), expected, WEB_CONCURRENCY)
  }))
})

t.test('one process is one process; others find its folder and its port taken', async t => {
  const one = await startForkedGateway(t, { WEB_CONCURRENCY: '1', FORWARDER: 'off' })
  await one.ready()
  t.same(childrenOf(one.pid), [], 'it has started none')
  const [folder, port] = await Promise.all([
    startForkedGateway(t, { DATA_DIR: one.dataDir }),
    startForkedGateway(t, { PORT: String(one.port) })
  ])
  t.equal(await folder.exit, 1)
  t.equal(folder.output().match(/is in use by another process/g)?.length, 1)
  t.equal(await port.exit, 1)
  const told = port.output().split('\n').filter(line => line.includes('"level":60'))
  const fault = /"process":"web 1","msg":"The gateway cannot listen on 127\.0\.0\.1:\d+ \(HOST, PORT\)/
  t.match(told, [fault], 'told by one of them')
  t.equal(told.length, 1)
  t.notMatch(port.output(), /^ +at /m)

  await t.test('what waits in its folder is delivered by several processes', async t => {
    const token = await one.token()
    for (const i of range(5)) t.equal((await one.send(token, `waits ${i}`)).status, 201)
    one.kill('SIGTERM')
    t.equal(await one.exit, 0)
    const sandbox = await startSandbox({})
    t.teardown(() => sandbox.close())
    const several = await startForkedGateway(t, { DATA_DIR: one.dataDir, AWS_ENDPOINT_URL: sandbox.url })
    await eventually(() => sandbox.ledger().events === 5 ? true : undefined, 60_000)
    several.kill('SIGTERM')
    t.equal(await several.exit, 0, 'also while web processes still start')
  })
})

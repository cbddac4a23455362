import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startSandbox } from '../../tools/sandbox/server.js'
import { startRedis } from '../../tools/shared/redis.js'
import { applicationsFile } from '../helpers/applications.js'
import { eventually } from '../helpers/app.js'
import { childrenOf, lives, startForkedGateway, type ForkedGateway } from '../helpers/forked-gateway.js'

const CONNECTIONS = 8

/** Sends log events as fast as they are answered, until it is stopped. */
function startLoad (gateway: ForkedGateway, token: string) {
  const accepted: string[] = []
  const stopped = new AbortController()
  let count = 0
  const lanes = Array.from({ length: CONNECTIONS }, async () => {
    while (!stopped.signal.aborted) {
      const message = `${gateway.pid} ${count++}`
      // Whether an answer was lost or never made, only an accepted event is promised.
      const status = await gateway.send(token, message).then(({ status }) => status, () => 0)
      if (status === 201) accepted.push(message)
      else await sleep(20)
    }
  })
  return {
    accepted,
    async stop (): Promise<void> {
      stopped.abort()
      await Promise.all(lanes)
    }
  }
}

t.test('kill -9 of web processes and of the primary: nothing is lost, and no process is left', async t => {
  const sandbox = await startSandbox({})
  t.teardown(() => sandbox.close())
  const environment = { AWS_ENDPOINT_URL: sandbox.url, LEASE_MS: '2000' }
  const first = await startForkedGateway(t, environment)
  await first.ready()
  const load = startLoad(first, await first.token())
  for (let kills = 0; kills < 3; kills++) {
    await sleep(1_000)
    const accepted = load.accepted.length
    process.kill(childrenOf(first.pid)[kills % 2]!, 'SIGKILL')
    await eventually(() => load.accepted.length > accepted + 20 ? true : undefined)
  }
  await sleep(1_000)
  const pids = childrenOf(first.pid)
  first.kill('SIGKILL')
  await load.stop()
  await eventually(() => pids.every(pid => !lives(pid)) ? true : undefined, 5_000)
  t.ok(load.accepted.length > 100, `${load.accepted.length} accepted`)

  const second = await startForkedGateway(t, { ...environment, DATA_DIR: first.dataDir })
  await second.ready()
  const stored = (): Set<string> => new Set([...sandbox.items('/forked')].map(({ message }) => message))
  const missing = await eventually(() => {
    const there = stored()
    const missing = load.accepted.filter(message => !there.has(message))
    return missing.length === 0 ? missing : undefined
  }, 60_000)
  t.same(missing, [])
  second.kill('SIGTERM')
  t.equal(await second.exit, 0)
})

t.test('a second signal ends all of them at once', async t => {
  const sandbox = await startSandbox({})
  t.teardown(() => sandbox.close())
  sandbox.faults.set({ rules: [{ kind: 'hang', logGroupName: '/forked' }] })
  const gateway = await startForkedGateway(t, { AWS_ENDPOINT_URL: sandbox.url, SHUTDOWN_GRACE_MS: '60000' })
  await gateway.ready()
  t.equal((await gateway.send(await gateway.token(), 'hangs')).status, 201)
  const pids = [gateway.pid, ...childrenOf(gateway.pid)]
  gateway.kill('SIGINT')
  await sleep(1_000)
  t.ok(lives(gateway.pid), 'it waits for the delivery')
  const at = performance.now()
  gateway.kill('SIGINT')
  t.equal(await gateway.exit, 1)
  t.ok(performance.now() - at < 2_000)
  await eventually(() => pids.every(pid => !lives(pid)) ? true : undefined, 5_000)
})

t.test('Ctrl-C of a terminal, which reaches every process: what was answered is delivered, and all end', async t => {
  const sandbox = await startSandbox({})
  t.teardown(() => sandbox.close())
  const gateway = await startForkedGateway(t, { AWS_ENDPOINT_URL: sandbox.url })
  await gateway.ready()
  await gateway.whole()
  const load = startLoad(gateway, await gateway.token())
  await eventually(() => load.accepted.length > 50 ? true : undefined)
  const pids = [gateway.pid, ...childrenOf(gateway.pid)]
  for (const pid of pids) process.kill(pid, 'SIGINT')
  t.equal(await gateway.exit, 0)
  await load.stop()
  const stored = new Set([...sandbox.items('/forked')].map(({ message }) => message))
  t.same(load.accepted.filter(message => !stored.has(message)), [])
  t.notMatch(gateway.output(), /is started again/)
  for (const pid of pids) t.notOk(lives(pid))
})

t.test('SIGHUP has every process read the applications again', async t => {
  const sandbox = await startSandbox({})
  t.teardown(() => sandbox.close())
  const file = await applicationsFile(t, [{ id: 'shop' }])
  const gateway = await startForkedGateway(t, { AWS_ENDPOINT_URL: sandbox.url, APPS_FILE: file.path })
  await gateway.ready()
  await gateway.whole()
  gateway.kill('SIGHUP')
  const readAgain = () => gateway.output().trim().split('\n')
    .map(line => JSON.parse(line) as { process: string, msg: string })
    .filter(({ msg }) => msg === 'the applications were read again').map(({ process }) => process)
  await eventually(() => readAgain().length === 3 ? true : undefined)
  t.same(readAgain().sort(), ['primary', 'web 1', 'web 2'])
})

t.test('a web process that hangs does not keep the others from answering, nor the gateway from ending', async t => {
  const gateway = await startForkedGateway(t, { FORWARDER: 'off' })
  await gateway.ready()
  const count = async () => (await gateway.metrics()).get('cloudwatch_postman_web_processes')
  await eventually(async () => await count() === 2 ? true : undefined)
  // A stopped process answers nothing, and does not keep the other from answering for the whole.
  const [stopped] = childrenOf(gateway.pid)
  process.kill(stopped!, 'SIGSTOP')
  t.teardown(() => { if (lives(stopped!)) process.kill(stopped!, 'SIGKILL') })
  const answered = await Promise.race([
    Promise.any([gateway.metrics(), gateway.metrics()]),
    sleep(10_000, null)
  ])
  t.ok(answered !== null, 'the page of metrics comes from the others')
  const at = performance.now()
  gateway.kill('SIGTERM')
  await gateway.exit
  t.ok(performance.now() - at < 20_000, 'a process that hangs is ended')
  t.notOk(lives(stopped!))
})

t.test('with a Redis, several processes are one gateway, too', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const sandbox = await startSandbox({})
  t.teardown(() => sandbox.close())
  const gateway = await startForkedGateway(t, { AWS_ENDPOINT_URL: sandbox.url, REDIS_URL: redis.url })
  await gateway.ready()
  await gateway.whole()
  const token = await gateway.token()
  for (let i = 0; i < 10; i++) t.equal((await gateway.send(token, `event ${i}`)).status, 201)
  t.equal((await gateway.send(token, 'waits', { prefer: 'wait=20' })).headers['preference-applied'], 'wait=20')
  const metrics = await gateway.metrics()
  t.equal(metrics.get('cloudwatch_postman_accepted_total{kind="logs"}'), 11)
  t.equal(metrics.get('cloudwatch_postman_ledger_items{outcome="accepted"}'), 11)
  await redis.kill()
  await eventually(async () => (await gateway.ask('/health/ready')).status === 503 ? true : undefined)
  await redis.restart()
  await gateway.ready()
  gateway.kill('SIGTERM')
  t.equal(await gateway.exit, 0)
})

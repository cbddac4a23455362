import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BUILD } from '../../../tools/shared/root.js'

const MAIN = join(BUILD, 'tools/cli/main.js')
const WRITTEN_TIMEOUT_MS = 60_000

/** Starts the built demo with a home and a temporary folder of its own. */
function startDemo (folder: string, args: string[] = [], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN, 'demo', ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: join(folder, 'home'), TMPDIR: join(folder, 'tmp'), ...environment }
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { output += chunk.toString() })
  return {
    child,
    output: () => output,
    exitCode: once(child, 'close').then(([code]) => code as number | null),

    async written (text: string): Promise<void> {
      const deadline = Date.now() + WRITTEN_TIMEOUT_MS
      while (!output.includes(text)) {
        if (Date.now() > deadline || child.exitCode !== null) throw new Error(`"${text}" is not in the output:\n${output}`)
        await new Promise(resolve => setTimeout(resolve, 50))
      }
    }
  }
}

/** The command lines of the children of a process, by their process id. */
function childrenOf (parent: number): Map<number, string> {
  const rows = execFileSync('ps', ['-A', '-o', 'ppid=,pid=,args=']).toString().matchAll(/^ *(\d+) +(\d+) (.*)$/gm)
  return new Map([...rows].filter(([, ppid]) => Number(ppid) === parent).map(([, , pid, command]) => [Number(pid), command!]))
}

function isAlive (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

t.test('--once shows that what was sent is stored, in fewer calls, whatever the environment says', async t => {
  const folder = t.testdir({ home: {}, tmp: {}, '.env': 'SPOOL_SYNC=nonsense\n' })
  const demo = startDemo(folder, ['--once'], { REDIS_URL: 'redis://127.0.0.1:1', AWS_PROFILE: 'nobody', AWS_REGION: 'nowhere' })
  t.teardown(() => demo.child.kill())
  t.equal(await demo.exitCode, 0)
  const output = demo.output()
  for (const line of [
    /browsers in a small shop for 5 s: [\d,]+ requests, [\d,]+ items/,
    /Shop PageLoad Page=\/checkout +([\d,]+) +\1 +[\d,]+ ms +[\d,]+ ms +✔/,
    /Log events \/shop\/web visits +([\d,]+) +\1 +✔/,
    /([\d,]+) items in \d+ calls to CloudWatch; one call each would have been \1/,
    /201, 2 items accepted, item 1 rejected \(invalid-unit\):\n +MetricData\[1\]\.Unit must be/,
    /201 after \d+ ms, with AWS's own request id [\da-f-]{36}/
  ]) t.match(output, line)
  t.notOk(output.includes('✖'), 'nothing differs')
  t.notOk(output.includes('\u001B'), 'no escape sequence outside a terminal')
  t.same(readdirSync(join(folder, 'tmp')), [])
})

t.test('--cluster shows one gateway of several processes on the nodes of a Redis Cluster', async t => {
  const folder = t.testdir({ home: {}, tmp: {} })
  const demo = startDemo(folder, ['--cluster', '--once'])
  t.teardown(() => demo.child.kill())
  t.equal(await demo.exitCode, 0)
  const output = demo.output()
  for (const line of [
    /two web processes and a worker are up/,
    /Shop PageLoad Page=\/checkout +([\d,]+) +\1 +[\d,]+ ms +[\d,]+ ms +✔/,
    /201 after \d+ ms, with AWS's own request id [\da-f-]{36}/
  ]) t.match(output, line)
  t.notOk(output.includes('✖'), 'nothing differs')
  const shares = [...output.matchAll(/127\.0\.0\.1:\d+ +[1-9]\d* +([\d,]+) +\1$/gm)]
  t.equal(shares.length, 3, 'each node has taken items, and all were delivered')
  t.same(readdirSync(join(folder, 'tmp')), [])
})

t.test('stays up until SIGINT, and leaves nothing behind', async t => {
  const folder = t.testdir({ home: {}, tmp: {} })
  const demo = startDemo(folder)
  t.teardown(() => demo.child.kill())
  await demo.written('Ctrl-C ends it.')
  const children = [...childrenOf(demo.child.pid!).keys()]
  t.ok(children.length >= 2, 'a sandbox and a gateway')

  const [, gatewayUrl] = /Gateway +(http\S+)/.exec(demo.output())!
  const [, clientToken] = /CLIENT_TOKEN='(\S+)'/.exec(demo.output())!
  const answer = await fetch(`${gatewayUrl}/token`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ clientToken }) })
  t.equal(answer.status, 201, 'the client token that it shows is good')
  t.equal((await fetch(`${gatewayUrl}/test`)).status, 200)
  await demo.written('→ PutMetricData  cloudwatch-postman  1 item')

  demo.child.kill('SIGINT')
  t.equal(await demo.exitCode, 0)
  t.same(children.filter(isAlive), [])
  t.same(readdirSync(join(folder, 'tmp')), [])
})

t.test('ends on SIGTERM amid the traffic, and leaves nothing behind', async t => {
  const folder = t.testdir({ home: {}, tmp: {} })
  const demo = startDemo(folder)
  t.teardown(() => demo.child.kill())
  await demo.written('the gateway are up')
  const children = [...childrenOf(demo.child.pid!).keys()]
  demo.child.kill('SIGTERM')
  t.equal(await demo.exitCode, 0)
  t.same(children.filter(isAlive), [])
  t.same(readdirSync(join(folder, 'tmp')), [])
})

t.test('says so and ends when the gateway dies', async t => {
  const folder = t.testdir({ home: {}, tmp: {} })
  const demo = startDemo(folder)
  t.teardown(() => demo.child.kill())
  await demo.written('the gateway are up')
  const children = childrenOf(demo.child.pid!)
  const [gateway] = [...children].find(([, command]) => command.includes('fastify'))!
  process.kill(gateway, 'SIGKILL')
  t.equal(await demo.exitCode, 1)
  t.match(demo.output(), /The gateway has ended \(SIGKILL\)/)
  t.same([...children.keys()].filter(isAlive), [])
  t.same(readdirSync(join(folder, 'tmp')), [])
})

t.test('--metering shows each call metered once, and one client denied', async t => {
  const folder = t.testdir({ home: {}, tmp: {} })
  const demo = startDemo(folder, ['--metering', '--once'])
  t.teardown(() => demo.child.kill())
  t.equal(await demo.exitCode, 0)
  t.match(demo.output(), 'orders/prod → subscription filter → http')
  t.match(demo.output(), 'invoices/prod → subscription filter → the metering function')
  for (const line of [/acme +120 +120 +✔/, /globex +45 +45 +✔/, /initech +12 +0 +✔/, /acme: 200 entitled/, /initech: 403 denied/, /acme: Allow/, /initech: Deny/, /denied: POST \/token answers 402/, /entitled: POST \/token answers 201/, /metered: 1 call of default/, /does not entitle it/]) t.match(demo.output(), line)
  t.same(readdirSync(join(folder, 'tmp')), [])
})

t.test('--metering stays up until SIGINT, and its commands can be tried', async t => {
  const folder = t.testdir({ home: {}, tmp: {} })
  const demo = startDemo(folder, ['--metering'])
  t.teardown(() => demo.child.kill())
  await demo.written('Ctrl-C ends it.')
  const [, url, clientId] = /curl -i (http\S+) -H 'clientId: (\w+)'/.exec(demo.output())!
  t.equal((await fetch(url!, { headers: { clientId: clientId! } })).status, 200)
  demo.child.kill('SIGINT')
  t.equal(await demo.exitCode, 0)
  t.same(readdirSync(join(folder, 'tmp')), [])
})

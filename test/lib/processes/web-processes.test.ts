import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Channel } from '../../../lib/processes/channel.js'
import { WebProcesses } from '../../../lib/processes/web-processes.js'
import { eventually } from '../../helpers/app.js'
import { lives } from '../../helpers/forked-gateway.js'

const EXIT_CODE = 7

/** A web process that ends at once while a file is there, and tells its number and its pid. */
const SCRIPT = `
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
if (existsSync(process.argv[2])) process.exit(${EXIT_CODE})
createServer().listen(0, '127.0.0.1')
process.on('message', ({ topic, call, id }) => {
  if (topic === 'close' && process.argv[3] !== 'hang') process.exit(0)
  const { GATEWAY_WEB_PROCESS, FORWARDER } = process.env
  if (call === 'about') process.send({ answerTo: id, value: [GATEWAY_WEB_PROCESS, FORWARDER, process.pid] })
})
`

function start (t: Test, args: string[] = []) {
  const folder = t.testdir({ 'web.mjs': SCRIPT })
  const flag = join(folder, 'fail')
  const logged: Array<{ fields: object, message: string }> = []
  const write = (fields: object, message: string): void => { logged.push({ fields, message }) }
  const gaveUp: number[] = []
  const opened: Channel[] = []
  const web = new WebProcesses({
    count: 2,
    command: join(folder, 'web.mjs'),
    args: [flag, ...args],
    log: { info: write, warn: write, error: write },
    onGiveUp: code => gaveUp.push(code)
  })
  web.onOpen(channel => opened.push(channel))
  t.teardown(() => web.stop(1_000))
  const about = async (): Promise<Array<[number: string, forwarder: string, pid: number]>> =>
    await Promise.all(web.channels.map(channel => channel.call<[string, string, number]>('about')))
  return { web, logged, gaveUp, opened, about, fail: () => writeFileSync(flag, ''), mend: () => rmSync(flag) }
}

async function untilListening (web: WebProcesses, count: number): Promise<void> {
  await eventually(() => web.listening === count ? true : undefined)
}

t.test('they start, one after the other; one that ends is started again', async t => {
  const { web, logged, opened, about } = start(t)
  web.start()
  t.equal(opened.length, 1, 'the first has to take requests before the others start')
  await untilListening(web, 2)
  const before = await about()
  t.same(before.map(([number, forwarder]) => [number, forwarder]), [['1', 'off'], ['2', 'off']])
  process.kill(before[0]![2], 'SIGKILL')
  await eventually(() => web.listening === 1 ? true : undefined)
  await untilListening(web, 2)
  t.match(logged, [{ fields: { webProcess: 1, signal: 'SIGKILL', delayMs: 250 }, message: /started again/ }])
  t.match((await about()).map(([number]) => number).sort(), ['1', '2'])
  await web.stop(5_000)
  for (const [, , pid] of before) t.notOk(lives(pid))
  t.same(web.channels, [])
})

t.test('when the first does not start, no other does, and nothing is said but what it has said', async t => {
  const { web, logged, gaveUp, opened, fail } = start(t)
  fail()
  web.start()
  await eventually(() => gaveUp.length > 0 ? true : undefined)
  t.same(gaveUp, [EXIT_CODE])
  t.equal(opened.length, 1)
  t.same(logged, [])
})

t.test('the gateway gives up when none is left and none can be started, and not before', async t => {
  const { web, logged, gaveUp, about, fail, mend } = start(t)
  web.start()
  await untilListening(web, 2)
  fail()
  const [one, other] = await about()
  process.kill(one![2], 'SIGKILL')
  await eventually(() => logged.length >= 3 ? true : undefined)
  mend()
  await untilListening(web, 2)
  t.same(gaveUp, [], 'while the other takes requests')
  fail()
  for (const [, , pid] of [...await about(), other!]) if (lives(pid)) process.kill(pid, 'SIGKILL')
  await eventually(() => gaveUp.length > 0 ? true : undefined)
  t.same(gaveUp, [EXIT_CODE])
  const message = 'no web process can be started: the gateway ends'
  t.match(logged.at(-1), { fields: { starts: 5, code: EXIT_CODE }, message })
})

t.test('one that hangs is ended when the grace is over', async t => {
  const { web, about } = start(t, ['hang'])
  web.start()
  await untilListening(web, 2)
  const pids = (await about()).map(([, , pid]) => pid)
  const at = performance.now()
  await web.stop(300)
  t.ok(performance.now() - at >= 295)
  for (const pid of pids) t.notOk(lives(pid))
})

import t, { type Test } from 'tap'
import { eventually, startGateway } from '../helpers/app.js'
import { startRedis } from '../../tools/shared/redis.js'

const ORIGIN = { origin: 'https://shop.example' }
const logs = (message: string) => ({ logGroupName: '/p', logStreamName: 's', logEvents: [{ message }] })

async function check (t: Test, answer: Response, code: number) {
  t.equal(answer.status, 503)
  t.match(await answer.json(), { error: { code } })
  t.ok(Number(answer.headers.get('retry-after')) > 0, 'Retry-After')
  t.equal(answer.headers.get('access-control-allow-origin'), '*', 'CORS headers')
}

t.test('a full spool answers 503, drops nothing, and takes again when it has drained', async t => {
  const { post, token, sandbox } = await startGateway(t, { SPOOL_MAX_BYTES: '1048576' })
  const headers = { authorization: `Bearer ${await token()}`, ...ORIGIN }
  sandbox.faults.set([{ kind: 'error', status: 500 }])
  const accepted: string[] = []
  let refused: Response | undefined
  for (let i = 0; i < 40 && refused === undefined; i++) {
    const message = `${i} ${'x'.repeat(60_000)}`
    const answer = await post('/logEvents', logs(message), headers)
    if (answer.status === 201) accepted.push(message)
    else refused = answer
  }
  await check(t, refused!, 160)
  t.ok(accepted.length > 10)
  sandbox.faults.clear()
  await eventually(() => sandbox.ledger().events === accepted.length ? true : undefined, 40_000)
  t.same(new Set([...sandbox.items('/p')].map(({ message }) => message)), new Set(accepted))
  t.equal((await post('/logEvents', logs('again'), headers)).status, 201)
})

t.test('Redis away: 503 at once; back: taken and delivered', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const { post, token, sandbox } = await startGateway(t, { REDIS_URL: redis.url })
  const headers = { authorization: `Bearer ${await token()}`, ...ORIGIN }
  t.equal((await post('/logEvents', logs('before'), headers)).status, 201)
  await eventually(() => sandbox.ledger().events === 1 ? true : undefined)
  await redis.kill()
  await check(t, await post('/logEvents', logs('during'), headers), 161)
  await redis.restart()
  await eventually(async () => (await post('/logEvents', logs('after'), headers)).status === 201 ? true : undefined)
  await eventually(() => [...sandbox.items('/p')].some(({ message }) => message === 'after') ? true : undefined)
})

t.test('an event loop that is late answers 503, and health checks still answer', async t => {
  const { app, url, post, token } = await startGateway(t, { MAX_EVENT_LOOP_DELAY_MS: '20' })
  const headers = { authorization: `Bearer ${await token()}`, ...ORIGIN }
  const block = setInterval(() => {
    const until = Date.now() + 150
    while (Date.now() < until);
  }, 160)
  t.teardown(() => clearInterval(block))
  await eventually(() => app.isUnderPressure() ? true : undefined)
  await check(t, await post('/logEvents', logs('m'), headers), 162)
  t.equal((await fetch(`${url}/health/live`)).status, 200)
})

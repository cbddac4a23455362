import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { applicationsFile, clientJwt, secretOf } from '../helpers/applications.js'
import { BACKENDS, eventually, redisEnvironment, startGateway, type Gateway } from '../helpers/app.js'

const REQUESTS = 400
/** More than four standard deviations of requests that take one of four log streams at random. */
const SLACK = 40

const logs = (logStreamName: string, ...messages: string[]) =>
  ({ logGroupName: '/g', logStreamName, logEvents: messages.map(message => ({ message })) })

/** The messages of each log stream, once so many are stored. */
async function stored ({ sandbox }: Gateway, count: number): Promise<Map<string, string[]>> {
  await eventually(() => sandbox.ledger().events >= count ? true : undefined)
  const streams = new Map<string, string[]>()
  for (const { logStreamName, message } of sandbox.items('/g')) {
    streams.set(logStreamName, [...streams.get(logStreamName) ?? [], message])
  }
  return streams
}

for (const backend of BACKENDS) {
  t.test(`LOG_STREAM_SHARDS, ${backend}`, async t => {
    const environment = { RATE_LIMIT_PER_MINUTE: '0', LOG_STREAM_SHARDS: 'hot=4,/g:o=3=100' }
    const gateway = await startGateway(t, environment, backend)
    const authorization = `Bearer ${await gateway.token()}`
    const send = async (body: object | string, headers: Record<string, string> = {}) => {
      const answer = await gateway.post('/logEvents', body, { authorization, ...headers })
      const replayed = answer.headers.get('idempotency-replayed')
      return { status: answer.status, replayed, body: await answer.json() as object }
    }

    t.test('the log events for a split log stream are spread evenly, each of them once', async t => {
      const sent = Array.from({ length: REQUESTS }, (_, i) => `hot ${i}`)
      for (let i = 0; i < REQUESTS; i += 20) {
        const answers = await Promise.all(sent.slice(i, i + 20).map(message => send(logs('hot', message))))
        t.ok(answers.every(({ status }) => status === 201))
      }
      t.match(await send(logs('calm', 'calm')), { status: 201 })
      const streams = await stored(gateway, REQUESTS + 1)
      t.same([...streams.keys()].sort(), ['calm', 'hot-0', 'hot-1', 'hot-2', 'hot-3'])
      t.same([...streams].flatMap(([, messages]) => messages).sort(), [...sent, 'calm'].sort())
      for (const [name, messages] of streams) {
        if (name !== 'calm') t.ok(Math.abs(messages.length - REQUESTS / 4) < SLACK, `${name} has ${messages.length}`)
      }
    })

    t.test('a request stays whole, and a client that waits is told of its delivery', async t => {
      const messages = Array.from({ length: 20 }, (_, i) => `whole ${i}`)
      const answer = await gateway.post('/logEvents', logs('hot', ...messages), { authorization, prefer: 'wait=20' })
      t.match([answer.status, answer.headers.get('preference-applied')], [201, 'wait=20'])
      const streams = await stored(gateway, REQUESTS + 21)
      const [whole] = [...streams.values()].filter(each => each.includes('whole 0'))
      t.same(whole!.filter(message => message.startsWith('whole')), messages)
    })

    t.test('a repeated request is stored once', async t => {
      const first = await send(logs('hot', 'keyed'), { 'idempotency-key': 'k' })
      t.match(first, { status: 201, replayed: null })
      for (let i = 0; i < 5; i++) {
        t.same(await send(logs('hot', 'keyed'), { 'idempotency-key': 'k' }), { ...first, replayed: 'true' })
      }
      const streams = await stored(gateway, REQUESTS + 22)
      t.equal([...streams.values()].flat().filter(message => message === 'keyed').length, 1)
    })

    t.test('the lines of a body for one log stream stay together', async t => {
      const lines = ['o=3', 'calm', 'o=3'].map((name, i) =>
        JSON.stringify({ ...logs(name, `line ${i}`), sentAt: Date.now() + i }))
      const answer = await send(lines.join('\n'), { 'content-type': 'application/x-ndjson' })
      t.match(answer, { status: 201, body: { accepted: 3 } })
      const streams = await stored(gateway, REQUESTS + 25)
      const split = [...streams].filter(([name]) => name.startsWith('o=3'))
      t.match(split.map(([name, messages]) => [name, messages.sort()]), [[/^o=3-\d\d?$/, ['line 0', 'line 2']]])
    })
  })
}

t.test('of an application', async t => {
  const file = await applicationsFile(t, [
    { id: 'shop', logGroups: ['*'], logStreams: ['hot', 'l*'], logStreamShards: { '*': 3 } },
    { id: 'blog', logGroups: ['*'] }
  ])
  const gateway = await startGateway(t, { APPS_FILE: file.path, RATE_LIMIT_PER_MINUTE: '0', LOG_STREAM_SHARDS: '2' })
  const tokenFor = async (id: string, claims: object = {}): Promise<string> => {
    const clientToken = clientJwt({ iss: id, jti: randomUUID(), ...claims }, secretOf(id))
    return (await (await gateway.post('/token', { clientToken })).json() as { accessToken: string }).accessToken
  }
  const send = async (token: string, body: object) => {
    const answer = await gateway.post('/logEvents', body, { authorization: `Bearer ${token}` })
    return { status: answer.status, ...await answer.json() as { error?: { message: string } } }
  }
  const [shop, narrow, blog] = [
    await tokenFor('shop'), await tokenFor('shop', { scope: { logStreams: ['hot'] } }), await tokenFor('blog')
  ]

  t.test('the scope speaks of the name that the client sends', async t => {
    t.match(await send(narrow, logs('hot', 'm')), { status: 201 })
    t.match(await send(narrow, logs('hot-1', 'm')), { status: 403 })
    t.match(await send(shop, logs('hot-1', 'm')), { status: 403 })
  })

  t.test('its own numbers count before those of the gateway', async t => {
    for (let i = 0; i < 40; i++) {
      t.match(await send(shop, logs('hot', 'm')), { status: 201 })
      t.match(await send(blog, logs('news', 'm')), { status: 201 })
    }
    const streams = await stored(gateway, 81)
    t.same([...streams.keys()].sort(), ['hot-0', 'hot-1', 'hot-2', 'news-0', 'news-1'])
  })

  t.test('a name without room for its number is refused', async t => {
    const refused = await send(shop, logs('l'.repeat(511), 'm'))
    t.match(refused, { status: 400, error: { message: /^logStreamName must have at most 510 characters/ } })
    t.match(await send(shop, logs('l'.repeat(510), 'm')), { status: 201 })
  })
})

t.test('when no more log streams are made, a split one goes on with those that it has', async t => {
  // The log group, and two of the hundred log streams.
  const file = await applicationsFile(t, [
    { id: 'shop', logGroups: ['*'], maxNewLogStreams: 3, logStreamShards: { '*': 100 } }
  ])
  const folder = await mkdtemp(join(tmpdir(), 'postman-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const environment = { APPS_FILE: file.path, RATE_LIMIT_PER_MINUTE: '0', DATA_DIR: folder }
  let gateway = await startGateway(t, environment)
  const clientToken = clientJwt({ iss: 'shop' }, secretOf('shop'))
  const { accessToken } = await (await gateway.post('/token', { clientToken })).json() as { accessToken: string }
  const send = (name: string) => gateway.post('/logEvents', logs(name, 'm'), { authorization: `Bearer ${accessToken}` })
  let sent = 0
  const streams = async (): Promise<number> => (await stored(gateway, sent)).size
  // One by one, so that the third is not asked for before the limit is known.
  while (await streams() < 2) {
    t.equal((await send('hot')).status, 201)
    sent++
  }
  await eventually(() => gateway.app.usage.mayCreate('shop') ? undefined : true)
  for (let i = 0; i < 20; i++, sent++) t.equal((await send('hot')).status, 201)
  t.equal(await streams(), 2)
  t.equal((await send('other')).status, 429)

  await t.test('also a process that has not written to them', async t => {
    await gateway.app.close()
    gateway = await startGateway(t, { ...environment, FORWARDER: 'off' })
    t.equal((await send('hot')).status, 201)
    t.equal((await send('other')).status, 429)
  })
})

t.test('two processes agree on the log stream of a repeated request', { skip: BACKENDS.length === 1 }, async t => {
  const environment = { ...await redisEnvironment(t), LOG_STREAM_SHARDS: '64', FORWARDER: 'off' }
  const gateways = [await startGateway(t, environment), await startGateway(t, environment)] as const
  const token = await gateways[0].token()
  const destinations: string[] = []
  for (const { app, post } of gateways) {
    // The claim of the key is left to the first: what the second would store is what counts.
    app.spool.appendOnce = async appends => {
      destinations.push(...appends.map(({ destination }) => destination))
      return { state: 'stored', finish: async () => {} }
    }
    const headers = { authorization: `Bearer ${token}`, 'idempotency-key': 'k' }
    const answer = await post('/logEvents', logs('hot', 'm'), headers)
    t.equal(answer.status, 201)
  }
  t.equal(destinations.length, 2)
  t.match(destinations[0], /^\/g:hot-\d+$/)
  t.equal(destinations[0], destinations[1])
})

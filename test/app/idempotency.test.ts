import { randomUUID } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { applicationsFile, clientJwt, secretOf } from '../helpers/applications.js'
import { BACKENDS, eventually, startGateway } from '../helpers/app.js'

const logs = (...messages: string[]) => ({
  logGroupName: '/i', logStreamName: 's', logEvents: messages.map(message => ({ message }))
})
const metric = (MetricName: string) => ({ params: { Namespace: 'i', MetricData: [{ MetricName, Value: 1 }] } })

async function answerOf (response: Response) {
  return {
    status: response.status,
    replayed: response.headers.get('idempotency-replayed'),
    retryAfter: response.headers.get('retry-after'),
    body: await response.json() as {
      accepted?: number,
      rejected?: object[],
      rejectedCount?: Record<string, number>,
      error?: { code: number }
    }
  }
}

for (const backend of BACKENDS) {
  t.test(`Idempotency-Key, ${backend}`, async t => {
    const { app, post, token, sandbox, url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '0' }, backend)
    const authorization = `Bearer ${await token()}`
    const send = async (
      body: object,
      key: string,
      headers: Record<string, string> = {},
      path = 'params' in body ? '/metric' : '/logEvents'
    ) =>
      await answerOf(await post(path, body, { authorization, 'idempotency-key': key, ...headers }))
    const reused = { status: 422, body: { error: { code: 125 } } }

    t.test('a repeated request is answered as the first was and stored once', async t => {
      const first = await send(logs('a', ''), 'k1')
      t.match(first, {
        status: 201,
        replayed: null,
        body: { accepted: 1, rejected: [{ index: 1 }], rejectedCount: { 'invalid-item': 1 } }
      })
      const second = await send(logs('a', ''), 'k1')
      t.match(second, { status: 201, replayed: 'true' })
      t.same(second.body, first.body)
      t.notSame((await send(logs('a', ''), 'k2')).body, first.body)
    })

    t.test('a renewed token, another sentAt and another encoding make it no other request', async t => {
      const { body: first } = await send({ ...logs('renewed'), sentAt: Date.now() }, 'k3')
      const renewed = await token()
      const later = { ...logs('renewed'), sentAt: Date.now() + 5 }
      for (const answer of [
        await send(later, 'k3', { authorization: `Bearer ${renewed}` }),
        await answerOf(await post('/logEvents', { ...later, accessToken: renewed }, { 'idempotency-key': 'k3' })),
        await answerOf(await post(`/logEvents?accessToken=${renewed}`, logs('renewed'), { 'idempotency-key': 'k3' })),
        await answerOf(
          await post(
            '/logEvents',
            '{"logEvents": [ { "message" : "r\\u0065newed"} ], "logStreamName":"s", "logGroupName":"/i"}',
            { authorization, 'idempotency-key': 'k3' }
          )
        ),
        await answerOf(await fetch(`${url}/logEvents`, {
          method: 'POST',
          headers: {
            authorization,
            'idempotency-key': 'k3',
            'content-type': 'application/json',
            'content-encoding': 'gzip'
          },
          body: gzipSync(JSON.stringify(later))
        }))
      ]) t.match(answer, { status: 201, replayed: 'true', body: first })
    })

    t.test('other items, another destination or another kind make it another request', async t => {
      t.match(await send(logs('own'), 'k4'), { status: 201 })
      t.match(await send(logs('other'), 'k4'), reused)
      t.match(await send(logs('own', 'more'), 'k4'), reused)
      t.match(await send({ ...logs('own'), logStreamName: 't' }, 'k4'), reused)
      t.match(await send(metric('m'), 'k4'), reused)
      t.match(await send(logs('own'), 'k4'), { status: 201, replayed: 'true' })
    })

    t.test('of requests with one key at the same time one is stored, and the others are told to come back', async t => {
      // Connections that are open already, so that the requests arrive together.
      await Promise.all(Array.from({ length: 20 }, async () => await (await fetch(`${url}/health/live`)).text()))
      const answers = await Promise.all(Array.from({ length: 20 }, () => send(logs('twin'), 'k5')))
      t.ok(answers.some(({ status }) => status === 409))
      t.equal(answers.filter(({ status, replayed }) => status === 201 && replayed === null).length, 1)
      for (const answer of answers) {
        if (answer.status !== 201) t.match(answer, { status: 409, retryAfter: '1', body: { error: { code: 126 } } })
      }
      t.match(await send(logs('twin'), 'k5'), { status: 201, replayed: 'true' })
    })

    t.test('a request that waits for its delivery is under way, and then replayed as it was answered', async t => {
      const before = (await app.spool.ledger()).accepted
      sandbox.faults.set([{ kind: 'delay', delayMs: 1_500 }])
      const waiting = send(logs('waits'), 'k6', { prefer: 'wait=20' })
      await eventually(async () => (await app.spool.ledger()).accepted > before ? true : undefined)
      t.match(await send(logs('waits'), 'k6'), { status: 409, body: { error: { code: 126 } } })
      t.match(await send(logs('no'), 'k6'), reused)
      const first = await waiting
      sandbox.faults.clear()
      t.equal(first.status, 201)
      t.same(await send(logs('waits'), 'k6', { prefer: 'wait=20' }), { ...first, replayed: 'true' })
    })

    t.test('a request that was refused leaves its key free', async t => {
      t.match(await send(logs(''), 'k7'), { status: 400 })
      t.match(await send(logs('mended'), 'k7'), { status: 201, replayed: null })
    })

    await eventually(() => sandbox.ledger().events >= 7 ? true : undefined)
    await new Promise(resolve => setTimeout(resolve, 200))
    t.same([...sandbox.items('/i')].map(({ message }) => message).sort(), [
      'a', 'a', 'mended', 'own', 'renewed', 'twin', 'waits'
    ])
  })
}

t.test('a key holds for one application, one scope and one origin', async t => {
  const file = await applicationsFile(t, [
    { id: 'shop', logGroups: ['*'], allowedOrigins: ['https://a.example', 'https://b.example'] },
    { id: 'blog', logGroups: ['*'] }
  ])
  const { app, post } = await startGateway(t, { FORWARDER: 'off', APPS_FILE: file.path, RATE_LIMIT_PER_MINUTE: '0' })
  const send = async (id: string, { scope, origin }: { scope?: object, origin?: string } = {}) => {
    const headers: Record<string, string> = origin === undefined ? {} : { origin }
    const claims = { jti: randomUUID(), ...(scope === undefined ? {} : { scope }) }
    const { accessToken } = await (
      await post('/token', { clientToken: clientJwt({ iss: id, ...claims }, secretOf(id)) }, headers)
    ).json() as { accessToken: string }
    return await answerOf(await post('/logEvents', logs('m'), {
      ...headers, authorization: `Bearer ${accessToken}`, 'idempotency-key': 'one'
    }))
  }
  const first = { status: 201, replayed: null }
  t.match(await send('shop', { scope: { logGroups: ['/i'] } }), first, 'a token of narrower scope')
  t.match(await send('shop'), first, 'is not answered for one of wider scope')
  t.match(await send('blog'), first)
  t.match(await send('shop', { origin: 'https://a.example' }), first)
  t.match(await send('shop', { origin: 'https://b.example' }), first)
  t.equal((await app.spool.ledger()).accepted, 5)
  t.match(await send('shop', { scope: { logGroups: ['/i'] } }), { status: 201, replayed: 'true' })
  t.match(await send('shop', { origin: 'https://a.example' }), { status: 201, replayed: 'true' })
  t.equal((await app.spool.ledger()).accepted, 5)
})

t.test('a key is known to every process', async t => {
  const REDIS_PREFIX = `test-${randomUUID()}`
  const gateways = [
    await startGateway(t, { FORWARDER: 'off', REDIS_PREFIX }, 'redis'),
    await startGateway(t, { FORWARDER: 'off', REDIS_PREFIX }, 'redis')
  ] as const
  const authorization = `Bearer ${await gateways[0].token()}`
  const send = async (n: 0 | 1, body: object, key: string) =>
    await answerOf(
      await gateways[n].post('params' in body ? '/metric' : '/logEvents', body, {
        authorization, 'idempotency-key': key
      })
    )
  const first = await send(0, logs('shared', ''), 'k')
  t.match(first, { status: 201, replayed: null })
  t.match(await send(1, logs('shared', ''), 'k'), { status: 201, replayed: 'true', body: first.body })
  for (const body of [logs('other'), metric('m'), { ...logs('shared', ''), logGroupName: '/other' }]) {
    t.match(await send(1, body, 'k'), { status: 422, body: { error: { code: 125 } } })
  }
  const twins = await Promise.all(
    Array.from({ length: 20 }, (_, i) => send(i % 2 === 0 ? 0 : 1, logs('twin'), 'twins'))
  )
  t.equal(twins.filter(({ status, replayed }) => status === 201 && replayed === null).length, 1)
  for (const { status, replayed } of twins) {
    t.ok(status === 409 || (status === 201 && (replayed === null || replayed === 'true')))
  }
  t.equal((await gateways[1].app.spool.ledger()).accepted, 2)
})

t.test('the documentation page fills in no key', async t => {
  const { url } = await startGateway(t)
  const document = await (await fetch(`${url}/documentation/json`)).json() as {
    paths: Record<string, { post?: { parameters?: Array<{ name: string }> } }>
  }
  const keys = Object.values(document.paths).flatMap(({ post }) => post?.parameters ?? []).filter(({ name }) =>
    name === 'idempotency-key')
  t.ok(keys.length >= 2)
  for (const key of keys) t.notMatch(JSON.stringify(key), /"(examples?|default)"/)
})

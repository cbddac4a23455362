import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { applicationsFile, secretOf, type GivenApplication } from '../helpers/applications.js'
import { BACKENDS, eventually, redisEnvironment, startGateway, type Gateway } from '../helpers/app.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'
const ADMIN = { authorization: `Bearer ${ADMIN_TOKEN}` }
const DAY_SECONDS = 86_400

interface Usage {
  day: string,
  application: string,
  items: { metrics: number, logs: number },
  bytes: { metrics: number, logs: number },
  series: number,
  awsCalls: Record<string, number>,
  dollars: { total: number }
}

async function tokenOf ({ post }: Gateway, id: string): Promise<string> {
  return (
    await (await post('/token', {
      clientToken: createClientToken(secretOf(id), Date.now(), 'salt')
    })).json() as { accessToken: string }
  ).accessToken
}

const logs = (count: number) => ({
  logGroupName: '/usage', logStreamName: 's', logEvents: Array(count).fill({ message: '12345678' })
})
const metrics = (...pages: string[]) => ({
  params: {
    Namespace: 'usage',
    MetricData: pages.map(Value => ({ MetricName: 'm', Value: 1, Dimensions: [{ Name: 'Page', Value }] }))
  }
})

async function usageOf ({ url }: Gateway, query = ''): Promise<Usage[]> {
  return (await (await fetch(`${url}/admin/usage${query}`, { headers: ADMIN })).json() as { usage: Usage[] }).usage
}

async function file (
  t: Parameters<typeof applicationsFile>[0], ...applications: GivenApplication[]
): Promise<{ ADMIN_TOKEN: string, APPS_FILE: string }> {
  const all = applications.map(application => ({ namespaces: ['*'], logGroups: ['*'], ...application }))
  return { ADMIN_TOKEN, APPS_FILE: (await applicationsFile(t, all)).path }
}

for (const backend of BACKENDS) {
  t.test(`usage, ${backend}`, async t => {
    const gateway = await startGateway(t, await file(t, { id: 'shop' }, { id: 'blog' }), backend)
    const { post, url } = gateway
    const send = async (id: string, body: object, headers = {}) =>
      (await post('params' in body ? '/metric' : '/logEvents', body, {
        authorization: `Bearer ${await tokenOf(gateway, id)}`, ...headers
      })).status

    t.test('is counted for each application, and once', async t => {
      t.equal(await send('shop', logs(10)), 201)
      t.equal(
        await send('shop', { ...logs(1), logEvents: [{ message: '12345678' }, { message: '' }] }),
        201,
        'one of two is taken'
      )
      t.equal(await send('shop', { ...logs(1), logEvents: [{ message: '' }] }), 400)
      for (let i = 0; i < 2; i++) {
        t.equal(await send('shop', metrics('/', '/cart', '/'), { 'idempotency-key': 'k' }), 201)
      }
      t.equal(await send('blog', metrics('/')), 201)
      t.equal((await fetch(`${url}/test`)).status, 200, 'not an application\'s')
      const usage = await eventually(async () => {
        const usage = await usageOf(gateway)
        return usage.length === 2 && usage.every(({ awsCalls }) => awsCalls.PutMetricData !== undefined)
          ? usage
          : undefined
      })
      const [blog, shop] = usage as [Usage, Usage]
      t.match(shop, {
        application: 'shop',
        day: new Date().toISOString().slice(0, 10),
        items: { metrics: 3, logs: 11 },
        bytes: { logs: 11 * (8 + 26) },
        series: 2
      })
      t.match(blog, { application: 'blog', items: { metrics: 1, logs: 0 }, series: 1 })
      t.ok(shop.dollars.total > blog.dollars.total && blog.dollars.total > 0)
    })

    t.test('is shown to operators, for as many days as they ask', async t => {
      t.equal((await usageOf(gateway, '?days=35')).length, 2)
      for (const query of ['?days=0', '?days=36', '?days=all', '?day=1']) {
        t.equal((await fetch(`${url}/admin/usage${query}`, { headers: ADMIN })).status, 400, query)
      }
      t.equal((await fetch(`${url}/admin/usage`)).status, 401)
    })
  })

  t.test(`budgets, ${backend}`, async t => {
    const environment = await file(t,
      { id: 'items', budgets: { soft: 0.5, daily: { items: 10 } } },
      { id: 'bytes', budgets: { daily: { bytes: 340 } } },
      { id: 'dollars', budgets: { daily: { dollars: 0.02 } } },
      { id: 'streams', maxNewLogStreams: 3 },
      { id: 'free' })
    const folder = await mkdtemp(join(tmpdir(), 'postman-'))
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    const redis = backend === 'redis' ? await redisEnvironment(t) : { DATA_DIR: folder }
    let gateway = await startGateway(t, { ...environment, ...redis })
    const send = async (id: string, body: object) => {
      const answer = await gateway.post('params' in body ? '/metric' : '/logEvents', body, {
        authorization: `Bearer ${await tokenOf(gateway, id)}`, origin: 'https://shop.example'
      })
      return {
        status: answer.status,
        warning: answer.headers.get('x-budget-warning'),
        retryAfter: Number(answer.headers.get('retry-after')),
        headers: answer.headers,
        ...await answer.json() as { error?: { code: number, message: string } }
      }
    }

    t.test('warn from the soft limit on and refuse when spent', async t => {
      t.match(await send('items', logs(5)), { status: 201, warning: null })
      t.match(await send('items', logs(4)), { status: 201, warning: 'items; used=0.50' })
      t.match(await send('items', logs(4)), { status: 201, warning: 'items; used=0.90' }, 'the last one is not cut')
      const refused = await send('items', logs(1))
      t.match(refused, { status: 429, error: { code: 151, message: /10 items of the application "items"/ } })
      t.ok(refused.retryAfter > 0 && refused.retryAfter <= DAY_SECONDS)
      t.equal(refused.headers.get('access-control-allow-origin'), '*')
      t.match(refused.headers.get('access-control-expose-headers'), /Retry-After.*X-Budget-Warning/)
      t.match(await send('free', logs(100)), { status: 201, warning: null }, 'others go on')
    })

    t.test('of bytes and of dollars, too', async t => {
      t.match(await send('bytes', logs(10)), { status: 201 })
      t.match(await send('bytes', logs(1)), { status: 429, error: { code: 151, message: /340 bytes/ } })
      t.match(await send('dollars', metrics('/')), { status: 201, warning: null })
      t.match(await send('dollars', metrics('/a', '/b')), { status: 201, warning: null })
      t.match(await send('dollars', metrics('/a')), { status: 429, error: { code: 151, message: /0.02 dollars/ } })
    })

    t.test('of log groups and log streams that are made, for log streams that the application has not written to', async t => {
      const to = (logStreamName: string) => ({ ...logs(1), logGroupName: '/streams', logStreamName })
      const isDelivered = (name: string): true | undefined =>
        [...gateway.sandbox.items('/streams')].some(({ logStreamName }) => logStreamName === name) ? true : undefined
      t.match(await send('free', to('old')), { status: 201 })
      await eventually(() => isDelivered('old'))
      for (const name of ['old', 'a', 'b', 'c']) {
        t.match(await send('streams', to(name)), { status: 201 }, name)
        await eventually(() => isDelivered(name))
      }
      const refused = await send('streams', to('d'))
      t.match(refused, {
        status: 429,
        error: { code: 151, message: /^The application "streams" has had its 3 log groups .* midnight UTC/ }
      })
      t.ok(refused.retryAfter > 0 && refused.retryAfter <= DAY_SECONDS)
      for (const name of ['old', 'a', 'b', 'c']) t.match(await send('streams', to(name)), { status: 201 }, name)
      t.match(await send('streams', metrics('/')), { status: 201 }, 'data points need no log stream')
      t.match(await send('free', to('d')), { status: 201 }, 'others go on')

      const lines = ['a', 'e'].map(name => JSON.stringify(to(name))).join('\n')
      const headers = {
        authorization: `Bearer ${await tokenOf(gateway, 'streams')}`, 'content-type': 'application/x-ndjson'
      }
      const answer = await gateway.post('/logEvents', lines, headers)
      t.match([answer.status, await answer.json()], [
        201, { accepted: 1, rejected: [{ index: 1, message: /^The application "streams" has had/ }] }
      ])
    })

    t.test('are shown as metrics', async t => {
      const text = await (await fetch(`${gateway.url}/metrics`, { headers: ADMIN })).text()
      t.match(text, /cloudwatch_postman_budget_used_ratio\{application="items",budget="items"\} 1\.3/)
      t.match(text, /cloudwatch_postman_budget_warnings_total\{application="items",budget="items"\} 2/)
      t.match(text, /cloudwatch_postman_budget_refused_total\{application="bytes",budget="bytes"\} 1/)
      t.match(text, /cloudwatch_postman_budget_refused_total\{application="streams",budget="newLogStreams"\} 2/)
    })

    t.test('are as spent after a restart', async t => {
      await gateway.app.close()
      gateway = await startGateway(t, { FORWARDER: 'off', ...environment, ...redis })
      for (const id of ['items', 'bytes', 'dollars']) {
        t.match(await send(id, logs(1)), { status: 429, error: { code: 151 } }, id)
      }
      t.match(await send('streams', { ...logs(1), logStreamName: 'another' }), { status: 429, error: { code: 151 } })
      for (const logStreamName of ['old', 'a', 'b', 'c']) {
        const body = { ...logs(1), logGroupName: '/streams', logStreamName }
        t.match(await send('streams', body), { status: 201 }, `it has written to ${logStreamName} before`)
      }
      t.match(await send('free', logs(1)), { status: 201 })
    })
  })
}

t.test('two gateways on one Redis spend one budget', { skip: BACKENDS.length === 1 }, async t => {
  const environment = {
    FORWARDER: 'off',
    ...await file(t, { id: 'shop', budgets: { daily: { items: 20 } } }),
    ...await redisEnvironment(t)
  }
  const [one, two] = [await startGateway(t, environment), await startGateway(t, environment)]
  const send = async (gateway: Gateway) =>
    (await gateway.post('/logEvents', logs(1), { authorization: `Bearer ${await tokenOf(gateway, 'shop')}` })).status
  for (let i = 0; i < 19; i++) t.equal(await send(one), 201)
  t.equal(await send(two), 201)
  await eventually(async () => await send(two) === 429 ? true : undefined)
  const [usage] = await eventually(async () => {
    const usage = await usageOf(two)
    return usage.length > 0 && usage[0]!.items.logs >= 20 ? usage : undefined
  })
  t.ok(usage!.items.logs < 500, `${usage!.items.logs} items of 20, within the second that it takes`)
})

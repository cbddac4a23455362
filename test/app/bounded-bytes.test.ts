import { gzipSync } from 'node:zlib'
import t from 'tap'
import { applicationsFile, clientJwt, secretOf } from '../helpers/applications.js'
import { BACKENDS, eventually, startGateway } from '../helpers/app.js'

const MIB = 1_048_576
const ITEMS = 10_000
/** One good data point and 9,999 that are none, in a few bytes. */
const mostlyBad = (items: number) =>
  gzipSync(JSON.stringify({
    params: { Namespace: 'n', MetricData: [{ MetricName: 'm', Value: 1 }, ...Array(items - 1).fill(0)] }
  }))
const MOSTLY_BAD = mostlyBad(ITEMS)
const ALL_BAD = gzipSync(JSON.stringify({ params: { Namespace: 'n', MetricData: Array(ITEMS).fill(0) } }))

for (const backend of BACKENDS) {
  t.test(`what is answered and kept for a request is bounded, ${backend}`, async t => {
    const file = await applicationsFile(t, [
      { id: 'shop', namespaces: ['*'], logGroups: ['*'] },
      { id: 'good', namespaces: ['*'], logGroups: ['*'] },
      { id: 'poor', namespaces: ['*'], logGroups: ['*'], budgets: { soft: 1, daily: { items: 15_000 } } }
    ])
    const { app, post, sandbox, url } = await startGateway(t, {
      APPS_FILE: file.path, RATE_LIMIT_PER_MINUTE: '0', SPOOL_MAX_BYTES: String(MIB), SHUTDOWN_GRACE_MS: '1'
    }, backend)
    const tokenOf = async (id: string): Promise<string> => {
      const { accessToken } = await (await post('/token', {
        clientToken: clientJwt({ iss: id }, secretOf(id))
      })).json() as { accessToken: string }
      return accessToken
    }
    const authorization = `Bearer ${await tokenOf('shop')}`
    const send = async (body: Uint8Array, headers: Record<string, string> = {}) =>
      await fetch(`${url}/metric`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json', 'content-encoding': 'gzip', ...headers },
        body
      })

    t.test('an answer names 100 items, and counts all', async t => {
      for (const [body, status, bad] of [[MOSTLY_BAD, 201, ITEMS - 1], [ALL_BAD, 400, ITEMS]] as const) {
        const response = await send(body)
        t.equal(response.status, status)
        const text = await response.text()
        t.ok(text.length < 20_000, `${text.length} characters`)
        const { rejected, rejectedCount } = JSON.parse(text) as {
          rejected: Array<{ index: number }>, rejectedCount: object
        }
        t.same(rejected.map(({ index }) => index), Array.from({ length: 100 }, (_, i) => i + ITEMS - bad))
        t.same(rejectedCount, { 'invalid-item': bad })
      }
    })

    t.test('a name that the client has chosen is quoted in part', async t => {
      const long = 'x'.repeat(1_000_000)
      const headers = { authorization }
      for (const body of [
        { params: { Namespace: 'n', MetricData: [{ MetricName: 'm', Value: 1, [long]: 1 }] } },
        { params: { Namespace: 'n', MetricData: [] }, [long]: 1 }
      ]) {
        const response = await post('/metric', body, headers)
        t.equal(response.status, 400)
        t.ok((await response.text()).length < 2_000)
      }
    })

    t.test('600 requests with a key each keep little', async t => {
      const statuses = new Set<number>()
      const body = mostlyBad(200)
      for (let i = 0; i < 30; i++) {
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, j) => send(body, { 'idempotency-key': `${i} ${j}` }))
        )
        for (const answer of answers) {
          statuses.add(answer.status)
          await answer.arrayBuffer()
        }
      }
      t.same([...statuses], [201])
      const bytes = await app.spool.keyBytes()
      t.ok(bytes > 20_000 && bytes < MIB / 8, `${bytes} bytes`)
    })

    t.test('refused items count for the daily budget', async t => {
      const poor = { authorization: `Bearer ${await tokenOf('poor')}` }
      t.equal((await send(ALL_BAD, poor)).status, 400)
      t.equal((await send(ALL_BAD, poor)).status, 400)
      t.match(await (await send(ALL_BAD, poor)).json(), { error: { code: 151 } })
      await app.usage.report(1)
      t.match((await app.usage.report(1)).usage.find(({ application }) => application === 'poor'), {
        refused: { metrics: 2 * ITEMS, logs: 0 }, items: { metrics: 0 }
      })
    })

    t.test('while nothing is delivered one application fills its share and leaves room for others; alone it fills the whole', async t => {
      const good = `Bearer ${await tokenOf('good')}`
      await eventually(async () => (await app.spool.depth()).records === 0 ? true : undefined)
      sandbox.faults.set([{ kind: 'error', status: 500 }])
      t.teardown(() => sandbox.faults.clear())
      const body = {
        logGroupName: 'g',
        logStreamName: 's',
        logEvents: Array.from({ length: 10 }, () => ({ message: 'x'.repeat(5_000) }))
      }
      const log = async (token: string): Promise<Response> => await post('/logEvents', body, { authorization: token })
      /** Sends until the gateway takes no more. @returns its last answer */
      const fill = async (token: string): Promise<Response> => {
        let answer = await log(token)
        while (answer.status === 201) answer = await log(token)
        return answer
      }
      const refused = await fill(authorization)
      t.equal(refused.status, 503)
      t.equal(refused.headers.get('retry-after'), '30')
      t.match(await refused.json(), { error: { code: 160, message: /the application "shop" .* its share/ } })
      t.ok((await app.spool.depth()).bytes < 0.67 * MIB, 'a third of the spool is left')
      for (let i = 0; i < 3; i++) t.equal((await log(good)).status, 201)
      t.equal((await log(authorization)).status, 503)

      await file.write([{ id: 'shop', namespaces: ['*'], logGroups: ['*'] }])
      await eventually(() => app.applications.count === 1 ? true : undefined)
      const full = await fill(authorization)
      t.match(await full.json(), { error: { code: 160, message: /cannot store more items now/ } })
      t.ok((await app.spool.depth()).bytes > 0.8 * MIB)
    })
  })
}

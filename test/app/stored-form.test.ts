import t from 'tap'
import { decodeRecord } from '../../lib/spool/record.js'
import type { Lease } from '../../lib/spool/spool.js'
import { BACKENDS, startGateway } from '../helpers/app.js'

/** So many that they are stored as they came. */
const MANY = Array.from({ length: 8 }, (_, i) => `m${i}`)
const at = (message: string, seconds = 0) => ({ message, timestamp: Date.now() - seconds * 1_000 })

for (const backend of BACKENDS) {
  t.test(`what is stored of a request for log events, ${backend}`, async t => {
    const gateway = await startGateway(t, { FORWARDER: 'off', RATE_LIMIT_PER_MINUTE: '0' }, backend)
    const token = await gateway.token()
    const { spool } = gateway.app

    async function stored (body: string, headers: Record<string, string> = {}): Promise<Lease> {
      const response = await gateway.post('/logEvents', body, { authorization: `Bearer ${token}`, ...headers })
      t.equal(response.status, 201, body.slice(0, 60))
      const { lease } = await spool.take('logs', { flush: true })
      await spool.settle(lease!, { delivered: lease!.records.reduce((sum, { items }) => sum + items, 0) })
      return lease!
    }
    const messagesOf = ({ records }: Lease): unknown[] =>
      records.flatMap(record => decodeRecord<[number, string]>(record).items.map(([, message]) => message))

    t.test('its body as it came, when that is all there is to store', async t => {
      const body = JSON.stringify({
        logGroupName: '/g',
        logStreamName: 's',
        logEvents: [at('a', 5), { message: 'b' }, ...MANY.map(message => at(message))]
      })
      const since = Date.now()
      const lease = await stored(body)
      t.ok(lease.records[0]!.line.includes(body))
      const [[first], [second]] = decodeRecord<[number, string]>(lease.records[0]!).items as Array<[number, string]>
      t.equal(first, JSON.parse(body).logEvents[0].timestamp)
      t.ok(second >= since && second <= Date.now(), 'an event without a time has that of its request')
    })

    for (const [what, change] of Object.entries<(body: { logGroupName: string, logEvents: unknown[] }) => object>({
      'a token in the body': body => ({ ...body, accessToken: token }),
      'an event that was refused': body => ({ ...body, logEvents: [...body.logEvents, { message: 5 }] }),
      'a clock that is wrong': body => ({
        ...body, sentAt: Date.now() - 3_600_000, logEvents: ['a', 'b', ...MANY].map(message => ({ message }))
      })
    })) {
      t.test(`its events, with ${what}`, async t => {
        const body = JSON.stringify(
          change(
            {
              logGroupName: '/g', logStreamName: 's', logEvents: ['a', 'b', ...MANY].map(message => at(message))
            } as never
          )
        )
        const lease = await stored(body)
        t.same(messagesOf(lease), ['a', 'b', ...MANY])
        t.notOk(lease.records.some(({ line }) => line.includes('logGroupName') || line.includes(token)))
      })
    }

    t.test('its events, when it is written over several lines, begins with a mark, or is of several documents', async t => {
      const request = {
        logGroupName: '/g', logStreamName: 's', logEvents: ['a\nb', ...MANY].map(message => ({ message }))
      }
      t.same(messagesOf(await stored(JSON.stringify(request, null, 2))), ['a\nb', ...MANY])
      t.same(messagesOf(await stored(`\ufeff${JSON.stringify(request)}`)), ['a\nb', ...MANY])
      const documents = request.logEvents.map(event => JSON.stringify({ ...request, logEvents: [event] })).join('\n')
      t.same(messagesOf(await stored(documents, { 'content-type': 'application/x-ndjson' })), ['a\nb', ...MANY])
    })
  })

  t.test(`what is stored of a request for metrics, ${backend}`, async t => {
    const gateway = await startGateway(
      t, { FORWARDER: 'off', RATE_LIMIT_PER_MINUTE: '0', MAX_SERIES_PER_METRIC: '2' }, backend
    )
    const token = await gateway.token()

    async function stored (body: object): Promise<Lease> {
      t.equal((await gateway.post('/metric', body, { authorization: `Bearer ${token}` })).status, 201)
      const { lease } = await gateway.app.spool.take('metrics', { flush: true })
      await gateway.app.spool.settle(lease!, { delivered: lease!.records.reduce((sum, { items }) => sum + items, 0) })
      return lease!
    }
    const load = (page: string) => ({ MetricName: 'Load', Value: 1, Dimensions: [{ Name: 'Page', Value: page }] })
    const Timestamp = new Date().toISOString()
    const body = {
      params: { Namespace: 'shop', MetricData: [load('a'), { ...load('b'), Timestamp }, ...MANY.map(() => load('b'))] }
    }
    const asItCame = await stored(body)
    t.ok(asItCame.records[0]!.line.includes(JSON.stringify(body)))
    t.match(decodeRecord(asItCame.records[0]!).items, [{ Timestamp: Number }, { Timestamp: Date.parse(Timestamp) }])
    const withToken = await stored({ ...body, accessToken: token })
    t.notOk(withToken.records[0]!.line.includes(token))
    const folded = await stored({
      params: { Namespace: 'shop', MetricData: [load('a'), load('c'), ...MANY.map(() => load('b'))] }
    })
    t.match(decodeRecord(folded.records[0]!).items, [load('a'), load('__other__')])
  })

  t.test(`events that an application's rules change are stored changed, ${backend}`, async t => {
    const gateway = await startGateway(t, { FORWARDER: 'off', REDACT_PATTERNS: 'email' }, backend)
    const authorization = `Bearer ${await gateway.token()}`
    const body = {
      logGroupName: '/g', logStreamName: 's', logEvents: ['from ada@example.com', ...MANY].map(message => ({ message }))
    }
    t.equal((await gateway.post('/logEvents', body, { authorization })).status, 201)
    const { lease } = await gateway.app.spool.take('logs', { flush: true })
    t.notMatch(lease!.records[0]!.line, /ada@example/)
  })
}

import t from 'tap'
import { BACKENDS, startGateway } from '../helpers/app.js'

for (const backend of BACKENDS) {
  t.test(`Prefer: wait, ${backend}`, async t => {
    const { post, token, sandbox } = await startGateway(t, { FLUSH_INTERVAL_MS: '30000' }, backend)
    const authorization = `Bearer ${await token()}`
    const logs = (...messages: string[]) => ({
      logGroupName: '/wait', logStreamName: 's', logEvents: messages.map(message => ({ message }))
    })

    t.test('answers after the delivery with AWS\'s own request id', async t => {
      const response = await post('/logEvents', logs('a', 'b'), { authorization, prefer: 'wait=10' })
      t.equal(response.status, 201)
      t.equal(response.headers.get('preference-applied'), 'wait=10')
      const { ResponseMetadata, accepted } = await response.json() as {
        ResponseMetadata: { RequestId: string }, accepted: number
      }
      t.equal(accepted, 2)
      t.equal(sandbox.ledger().events, 2, 'delivered before the answer, long before the flush interval is over')
      t.match(ResponseMetadata.RequestId, /^[0-9a-f-]{36}$/)
    })

    t.test('does the same for metrics', async t => {
      const body = { params: { Namespace: 'wait', MetricData: [{ MetricName: 'm', Value: 1 }] } }
      const response = await post('/metric', body, { authorization, prefer: 'wait=10' })
      t.equal(response.headers.get('preference-applied'), 'wait=10')
      t.equal(sandbox.ledger().dataPoints, 1)
    })

    t.test('answers as usual when the time runs out first', async t => {
      sandbox.faults.set([{ kind: 'hang' }])
      const response = await post('/logEvents', logs('late'), { authorization, prefer: 'wait=1' })
      t.equal(response.status, 201)
      t.equal(response.headers.get('preference-applied'), null)
      t.match(await response.json(), { accepted: 1, rejected: [] })
      sandbox.faults.clear()
    })
  })
}

import t from 'tap'
import { BACKENDS, eventually, startGateway } from '../helpers/app.js'

for (const backend of BACKENDS) {
  t.test(`Idempotency-Key, ${backend}`, async t => {
    const { post, token, sandbox } = await startGateway(t, {}, backend)
    const authorization = `Bearer ${await token()}`
    const logs = (message: string) => ({ logGroupName: '/i', logStreamName: 's', logEvents: [{ message }, { message: '' }] })
    const send = (message: string, key: string) => post('/logEvents', logs(message), { authorization, 'idempotency-key': key })

    t.test('a repeated request is answered as the first was and stored once', async t => {
      const first = await send('a', 'k1')
      t.equal(first.headers.get('idempotency-replayed'), null)
      const body = await first.json()
      const second = await send('a', 'k1')
      t.equal(second.status, 201)
      t.equal(second.headers.get('idempotency-replayed'), 'true')
      t.same(await second.json(), body)
      t.notSame(await (await send('b', 'k2')).json(), body)
    })

    t.test('requests with one key at the same time are stored once', async t => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => send('c', 'k3')))
      t.equal(answers.filter(answer => answer.headers.get('idempotency-replayed') === null).length, 1)
      t.equal(new Set(await Promise.all(answers.map(answer => answer.text()))).size, 1)
    })

    t.test('the same key for metrics is another one', async t => {
      const answer = await post('/metric', { params: { Namespace: 'i', MetricData: [{ MetricName: 'm', Value: 1 }] } }, { authorization, 'idempotency-key': 'k1' })
      t.equal(answer.headers.get('idempotency-replayed'), null)
    })

    await eventually(() => sandbox.ledger().events >= 3 && sandbox.ledger().dataPoints === 1 ? true : undefined)
    await new Promise(resolve => setTimeout(resolve, 200))
    t.same([...sandbox.items('/i')].map(({ message }) => message).sort(), ['a', 'b', 'c'])
  })
}

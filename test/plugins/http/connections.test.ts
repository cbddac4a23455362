import { once } from 'node:events'
import { connect } from 'node:net'
import Fastify from 'fastify'
import t from 'tap'
import connections from '../../../plugins/http/connections.js'

t.test('closing does not wait for a connection that was never used, but for a request under way', async t => {
  const app = Fastify()
  await app.register(connections)
  let begun = (): void => {}
  const underWay = new Promise<void>(resolve => { begun = resolve })
  app.get('/slow', async () => {
    begun()
    await new Promise(resolve => setTimeout(resolve, 300))
    return 'done'
  })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const unused = connect(Number(new URL(url).port), '127.0.0.1')
  unused.on('error', () => {}).resume()
  await once(unused, 'connect')
  const closed = once(unused, 'close')
  const slow = fetch(`${url}/slow`)
  await underWay

  await app.close()
  await closed
  t.equal(await (await slow).text(), 'done')
})

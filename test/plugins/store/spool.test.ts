import t from 'tap'
import { BACKENDS, eventually, startGateway } from '../../helpers/app.js'
import type { Kind } from '../../../schemas/kinds.js'
for (const backend of BACKENDS) {
  t.test(`${backend}: forwarders hear at once of what is due before its linger`, async t => {
    const { app } = await startGateway(t, { FORWARDER: 'off', FLUSH_INTERVAL_MS: '60000' }, backend)
    const heard: Kind[] = []
    app.spool.onDue(kind => heard.push(kind))
    await eventually(async () => {
      await app.spool.append({ kind: 'logs', destination: `group:${Math.random()}`, records: [{ line: '{"timestamp":0,"message":"m"}', items: 1, bytes: 27 }], urgent: true })
      return heard.length > 0 ? true : undefined
    })
    t.ok(heard.every(kind => kind === 'logs'))
  })
}

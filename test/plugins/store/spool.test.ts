import t from 'tap'
import { BACKENDS, eventually, startGateway } from '../../helpers/app.js'
import type { Kind } from '../../../schemas/kinds.js'

const RECORD = { line: '{"timestamp":0,"message":"m"}', items: 1, bytes: 27 }

for (const backend of BACKENDS) {
  t.test(`${backend}: forwarders hear at once of what is due before its linger`, async t => {
    const { app } = await startGateway(t, { FORWARDER: 'off', FLUSH_INTERVAL_MS: '60000' }, backend)
    const heard: Kind[] = []
    app.spool.onDue(kind => heard.push(kind))
    await eventually(async () => {
      const destination = `group:${Math.random()}`
      await app.spool.append({ kind: 'logs', destination, records: [RECORD], urgent: true })
      return heard.length > 0 ? true : undefined
    })
    t.ok(heard.every(kind => kind === 'logs'))
  })
}

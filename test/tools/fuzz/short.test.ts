import t from 'tap'
import { FUZZ_ENVIRONMENT, fuzz } from '../../../tools/fuzz/run.js'
import { CLIENT_SECRET_KEY, startGateway } from '../../helpers/app.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'

t.test('requests made of openapi.json meet answers that are in it', async t => {
  const { url } = await startGateway(t, { ...FUZZ_ENVIRONMENT, ADMIN_TOKEN, LOG_LEVEL: 'silent' })
  const { requests, byStatus, faults } = await fuzz({
    url,
    clientSecret: CLIENT_SECRET_KEY,
    adminToken: ADMIN_TOKEN,
    requests: 600,
    seed: 1
  })
  t.equal(requests, 600)
  t.same(faults, [])
  for (const status of ['200', '201', '400', '401', '403', '404', '405', '415']) {
    t.ok(byStatus[status]! > 0, `${status} was met`)
  }
  t.equal(({} as { polluted?: unknown }).polluted, undefined)
  t.equal((await fetch(`${url}/health/live`)).status, 200)
})

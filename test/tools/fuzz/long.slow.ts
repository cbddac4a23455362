import t from 'tap'
import { FUZZ_ENVIRONMENT, fuzz } from '../../../tools/fuzz/run.js'
import { CLIENT_SECRET_KEY, startGateway } from '../../helpers/app.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'
const REQUESTS = 5_000
const TIMEOUT_MS = 300_000

t.setTimeout(TIMEOUT_MS)

t.test('thousands of requests made of openapi.json meet answers that are in it', { timeout: TIMEOUT_MS }, async t => {
  const { url } = await startGateway(t, { ...FUZZ_ENVIRONMENT, ADMIN_TOKEN, LOG_LEVEL: 'silent' })
  const { requests, byStatus, faults } = await fuzz({
    url,
    clientSecret: CLIENT_SECRET_KEY,
    adminToken: ADMIN_TOKEN,
    requests: REQUESTS,
    seed: 2
  })
  t.equal(requests, REQUESTS)
  t.same(faults, [])
  t.ok(byStatus['422']! > 0, 'a key was used for two requests')
  t.equal((await fetch(`${url}/health/live`)).status, 200)
})

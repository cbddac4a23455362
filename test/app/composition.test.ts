import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'
import { startGateway } from '../helpers/app.js'

const DECORATORS = [
  'config', 'aws', 'sinks', 'testMetric', 'spool', 'receipts', 'intake', 'tokens', 'metrics', 'logEvents', 'forwarding',
  'rateLimiters', 'prometheus', 'health', 'admin', 'deadLetters', 'applications', 'state', 'revocations', 'quotas',
  'usage'
]

t.test('every plugin is registered under the name of its file', async t => {
  const { app } = await startGateway(t)
  const files = (await readdir(join(ROOT, 'plugins'), { recursive: true })).filter(file => file.endsWith('.ts'))
  for (const file of files) t.ok(app.hasPlugin(basename(file, '.ts')), file)
  for (const decorator of DECORATORS) t.ok(app.hasDecorator(decorator), decorator)
})

t.test('a wrong or missing variable stops the start, is named, and is never shown', async t => {
  const start = (environment: Record<string, string>) =>
    startGateway({ teardown: handler => t.teardown(handler) }, environment)
  await t.rejects(start({ AWS_REGION: '' }), { message: /AWS_REGION is missing: it must be the Region/ })
  await t.rejects(start({ PORT: 'eighty', FORWARDER: 'maybe' }), {
    message: /PORT is wrong: it must be a TCP port[\s\S]*FORWARDER is wrong: it must be on/
  })
  const error = await start({ ADMIN_TOKEN: 'tooshort' }).then(() => null, (error: Error) => error)
  t.match(error?.message, /ADMIN_TOKEN is wrong/)
  t.notMatch(error?.message, /tooshort/)
})

t.test('forwarders alone take no items but answer health checks', async t => {
  const { url, post } = await startGateway(t, { FORWARDER: 'only' })
  t.equal((await fetch(`${url}/health/ready`)).status, 200)
  t.equal((await post('/logEvents', {})).status, 404)
  t.equal((await post('/token', {})).status, 404)
})

t.test('web alone takes items and leaves them in the spool', async t => {
  const { app, post, token, sandbox } = await startGateway(t, { FORWARDER: 'off' })
  const answer = await post('/logEvents', { logGroupName: 'g', logStreamName: 's', logEvents: [{ message: 'm' }] }, {
    authorization: `Bearer ${await token()}`
  })
  t.equal(answer.status, 201)
  await new Promise(resolve => setTimeout(resolve, 300))
  t.same(sandbox.ledger().calls, {})
  t.match(await app.spool.depth('logs'), { items: 1 })
})

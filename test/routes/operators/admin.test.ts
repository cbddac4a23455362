import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { BUILD, ROOT } from '../../../tools/shared/root.js'
import { BACKENDS, eventually, startGateway } from '../../helpers/app.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'
const run = promisify(execFile)

interface Letter {
  id: string,
  kind: string,
  destination: string,
  reason: string,
  message: string,
  items: number,
  record?: string
}

for (const backend of BACKENDS) {
  t.test(`dead letters, ${backend}`, async t => {
    const { url, post, token, sandbox } = await startGateway(t, { ADMIN_TOKEN }, backend)
    const authorization = `Bearer ${await token()}`
    const admin = { authorization: `Bearer ${ADMIN_TOKEN}` }
    const get = async (path: string) =>
      await (await fetch(url + path, { headers: admin })).json() as { deadLetters: Letter[], next: string | null }
    const logs = (group: string, ...messages: string[]) =>
      post(
        '/logEvents',
        { logGroupName: group, logStreamName: 's', logEvents: messages.map(message => ({ message })) },
        { authorization }
      )

    sandbox.faults.set([{
      action: 'PutLogEvents',
      kind: 'refuse',
      code: 'InvalidParameterException',
      message: 'poisonous',
      messageIncludes: 'poison'
    }])
    await logs('/a', 'good 1', 'poison 1', 'good 2')
    await logs('/b', 'poison 2')
    const { deadLetters } = await eventually(async () => {
      const page = await get('/admin/dead-letters')
      return page.deadLetters.length === 2 ? page : undefined
    })

    t.test('the culprits are kept with AWS\'s own message, the rest is delivered', async t => {
      t.same([...sandbox.items()].map(({ message }) => message), ['good 1', 'good 2'])
      t.same(deadLetters.map(({ destination }) => destination).sort(), ['/a:s', '/b:s'])
      for (const letter of deadLetters) {
        t.match(letter, { kind: 'logs', reason: 'refused', message: /poisonous/, items: 1 })
        t.notOk('record' in letter, 'the list shows no payload')
      }
    })

    t.test('they are filtered and paged', async t => {
      t.equal((await get('/admin/dead-letters?destination=%2Fa:s')).deadLetters.length, 1)
      t.equal((await get('/admin/dead-letters?kind=metrics')).deadLetters.length, 0)
      t.equal((await get('/admin/dead-letters?reason=refused')).deadLetters.length, 2)
      const first = await get('/admin/dead-letters?limit=1')
      t.equal(first.deadLetters.length, 1)
      const second = await get(`/admin/dead-letters?limit=1&cursor=${encodeURIComponent(first.next!)}`)
      t.not(second.deadLetters[0]!.id, first.deadLetters[0]!.id)
      t.equal((await fetch(`${url}/admin/dead-letters?limit=0`, { headers: admin })).status, 400)
      t.equal((await fetch(`${url}/admin/dead-letters?sort=up`, { headers: admin })).status, 400)
    })

    t.test('one is shown with its record', async t => {
      const { id } = deadLetters.find(({ destination }) => destination === '/b:s')!
      const shown = await (
        await fetch(`${url}/admin/dead-letters/${encodeURIComponent(id)}`, { headers: admin })
      ).json() as Letter
      t.match(shown.record, /poison 2/)
      t.equal((await fetch(`${url}/admin/dead-letters/nothing`, { headers: admin })).status, 404)
    })

    t.test('the operator\'s routes ask for the admin token', async t => {
      for (const headers of [
        {},
        { authorization },
        { authorization: `Bearer ${ADMIN_TOKEN}x` },
        { authorization: ADMIN_TOKEN }
      ]) {
        for (const path of ['/admin/dead-letters', '/metrics']) {
          const answer = await fetch(url + path, { headers: headers as Record<string, string> })
          t.equal(answer.status, 401)
          t.match(await answer.json(), { error: { code: 112 } })
        }
      }
    })

    t.test('a selection that names nothing changes nothing', async t => {
      const answer = await post('/admin/dead-letters/redrive', {}, admin)
      t.equal(answer.status, 400)
      t.match(await answer.json(), { error: { code: 121, message: /"all": true/ } })
    })

    t.test('one is redriven by its id from the shell, the other deleted', async t => {
      sandbox.faults.clear()
      const shell = (...args: string[]) =>
        run(process.execPath, [join(BUILD, 'tools/cli/main.js'), 'dead-letters', ...args, '--url', url], {
          cwd: ROOT, env: { ...process.env, ADMIN_TOKEN }
        })
      t.match((await shell('list')).stdout, /\/a:s[\s\S]*poisonous[\s\S]*2 dead letters\./)
      const { id } = deadLetters.find(({ destination }) => destination === '/a:s')!
      t.match((await shell('show', id)).stdout, /poison 1/)
      t.match((await shell('redrive', '--id', id)).stdout, /1 dead letter on the way again/)
      await eventually(() => [...sandbox.items('/a')].some(({ message }) => message === 'poison 1') ? true : undefined)
      t.match((await shell('delete', '--kind', 'logs')).stdout, /1 dead letter deleted/)
      t.match((await shell('list')).stdout, /No dead letters/)
      const failure = await shell('redrive').catch((error: { code: number, stderr: string }) => error)
      t.match(failure, { code: 2, stderr: /--all/ })
    })

    t.test('the ledger balances', async t => {
      const text = await (await fetch(`${url}/metrics`, { headers: admin })).text()
      const count = (outcome: string) =>
        Number(new RegExp(`ledger_items\\{outcome="${outcome}"\\} (\\d+)`).exec(text)![1])
      t.equal(count('accepted'), 4)
      t.equal(count('delivered') + count('rejected') + count('dead_lettered') + count('in_spool'), 4)
    })
  })
}

t.test('without an admin token the operator\'s routes do not exist', async t => {
  const { url } = await startGateway(t)
  t.equal((await fetch(`${url}/admin/dead-letters`)).status, 404)
  t.equal((await fetch(`${url}/metrics`)).status, 405, 'POST /metrics does')
})

t.test('alerts and dashboard use only metrics that exist', async t => {
  const { url } = await startGateway(t, {
    ADMIN_TOKEN, REVENIUM_PLATFORM_API: 'http://127.0.0.1:1', REVENIUM_PLATFORM_API_KEY: 'hak_of_the_tests'
  })
  await fetch(`${url}/health/live`)
  const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } })).text()
  const names = new Set(
    [...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name, type]) =>
      type === 'histogram' ? ['', '_bucket', '_sum', '_count'].map(suffix => name + suffix) : [name!])
  )
  for (const file of ['infra/prometheus-alerts.yaml', 'infra/grafana-dashboard.json']) {
    const used = new Set(
      (await readFile(join(ROOT, file), 'utf8')).match(/\b(cloudwatch_postman|nodejs|process)_[a-z0-9_]+\b/g)
    )
    t.ok(used.size > 5)
    for (const name of used) t.ok(names.has(name), `${file}: ${name}`)
  }
})

import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { findPort } from '../../tools/shared/ports.js'
import { startGatewayProcess, type ServerProcess } from '../../tools/shared/processes.js'
import { ROOT } from '../../tools/shared/root.js'
import { CLIENT_SECRET_KEY, eventually, redisEnvironment, useSandbox } from '../helpers/app.js'

/** The last commit that reads record version 1 alone. */
const COMMIT = 'd56baef'
const ADMIN_TOKEN = 'admin-token-of-the-tests'
const BODY = Array.from({ length: 9 }, (_, i) => `verbatim ${i}`)

function isInHistory (): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${COMMIT}^{commit}`], { cwd: ROOT, stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Compiles the earlier version, with the packages of this one. @returns its app */
function buildEarlier (t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'postman-earlier-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const archive = execFileSync('git', ['archive', COMMIT], { cwd: ROOT, maxBuffer: 2 ** 30 })
  execFileSync('tar', ['-x', '-C', folder], { input: archive })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  execFileSync(
    process.execPath,
    [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--noCheck'],
    { cwd: folder }
  )
  return join(folder, 'dist/app.js')
}

interface Fleet {
  sandbox: Awaited<ReturnType<typeof useSandbox>>
  /** @param app absent: the present version */
  start (forwarder: 'off' | 'only', app?: string): Promise<ServerProcess>
  post (path: string, body: object, web: ServerProcess): Promise<object>
}

async function openFleet (t: Test): Promise<Fleet> {
  const sandbox = await useSandbox(t)
  const folder = mkdtempSync(join(tmpdir(), 'postman-fleet-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const environment = {
    ...process.env,
    ...await redisEnvironment(t),
    CLIENT_SECRET_KEY,
    ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-the-tests',
    ADMIN_TOKEN,
    AWS_REGION: 'eu-west-1',
    FLUSH_INTERVAL_MS: '50',
    MAX_EVENT_LOOP_DELAY_MS: '0'
  }
  return {
    sandbox,
    async start (FORWARDER, app) {
      const port = await findPort()
      const server = await startGatewayProcess(
        { ...environment, FORWARDER, WORKER_PORT: String(port) },
        port,
        folder,
        { readyPath: '/health/live', ...(app === undefined ? {} : { app }) }
      )
      t.teardown(() => server.stop())
      return server
    },
    async post (path, body, { url }) {
      const send = async (path: string, body: object, headers = {}): Promise<Record<string, unknown>> => {
        const response = await fetch(url + path, {
          method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body)
        })
        t.ok(response.ok, `${path}: ${response.status}`)
        return await response.json() as Record<string, unknown>
      }
      if (path.startsWith('/admin')) return await send(path, body, { authorization: `Bearer ${ADMIN_TOKEN}` })
      const { accessToken } = await send('/token', {
        clientToken: createClientToken(CLIENT_SECRET_KEY, Date.now(), randomUUID())
      })
      return await send(path, body, { authorization: `Bearer ${String(accessToken)}` })
    }
  }
}

async function deadLetters ({ url }: ServerProcess): Promise<Array<{ reason: string, items: number }>> {
  const response = await fetch(`${url}/admin/dead-letters`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } })
  return (await response.json() as { deadLetters: Array<{ reason: string, items: number }> }).deadLetters
}

const logs = (...messages: string[]) => ({
  logGroupName: '/versions', logStreamName: 's', logEvents: messages.map(message => ({ message }))
})

t.setTimeout(600_000)

const inHistory = isInHistory()
if (!inHistory && process.env.CI === 'true') t.fail(`the history has no ${COMMIT}: check out all of it`)

t.test('processes of this version beside processes of the version before', {
  skip: inHistory ? false : `the history has no ${COMMIT}`, timeout: 600_000
}, async t => {
  const earlier = buildEarlier(t)

  t.test('a new worker delivers all that an old web process stores', async t => {
    const { sandbox, start, post } = await openFleet(t)
    const [web, worker] = [await start('off', earlier), await start('only')]
    await post('/logEvents', logs('single'), web)
    await post('/logEvents', logs(...BODY), web)
    await post(
      '/metric',
      { params: { Namespace: 'Versions', MetricData: BODY.map((_, i) => ({ MetricName: 'Load', Value: i })) } },
      web
    )
    await eventually(() => sandbox.ledger().events >= 10 && sandbox.ledger().dataPoints >= 9 ? true : undefined)
    t.same([...sandbox.items('/versions')].map(({ message }) => message).sort(), ['single', ...BODY])
    t.equal(sandbox.ledger().dataPoints, BODY.length)
    t.same(await deadLetters(worker), [])
  })

  t.test('an old worker dead-letters what a new web process stores verbatim, and a new worker redrives it', async t => {
    const { sandbox, start, post } = await openFleet(t)
    const [web, oldWorker] = [await start('off'), await start('only', earlier)]
    await post('/logEvents', logs('single'), web)
    await post('/logEvents', logs(...BODY), web)
    const kept = await eventually(async () => {
      const found = await deadLetters(web)
      return found.length > 0 && sandbox.ledger().events > 0 ? found : undefined
    })
    t.match(kept, [{ reason: 'corrupt', items: BODY.length }])
    t.same([...sandbox.items('/versions')].map(({ message }) => message), ['single'])

    await oldWorker.stop()
    await start('only')
    t.same(await post('/admin/dead-letters/redrive', { reason: 'corrupt' }, web), { count: 1 })
    await eventually(() => sandbox.ledger().events >= 10 ? true : undefined)
    t.same([...sandbox.items('/versions')].map(({ message }) => message).sort(), ['single', ...BODY])
    t.same(await deadLetters(web), [])
  })
})

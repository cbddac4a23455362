import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'
import { API_ERRORS } from '../../schemas/error-table.js'
import { ConfigSchema } from '../../schemas/config.js'
import { startGateway } from '../helpers/app.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'

const read = (file: string) => readFile(join(ROOT, file), 'utf8')

t.test('every configuration variable is in docs/configuration.md, with its default, and in .env.example', async t => {
  const [page, example] = await Promise.all([read('docs/configuration.md'), read('.env.example')])
  for (const [name, schema] of Object.entries(ConfigSchema.properties)) {
    const { default: value } = schema as { default?: unknown }
    const shown = value === undefined ? '' : ` \`${String(value)}\``
    const row = page.split('\n').find(line => line.startsWith(`| \`${name}\` |`))
    t.ok(row, `${name} in docs/configuration.md`)
    if (value !== undefined) t.ok(row?.includes(`|${shown} |`), `${name} with its default`)
    t.match(example, new RegExp(`^${name}=`, 'm'), `${name} in .env.example`)
  }
})

t.test('every error code is in the table of docs/api.md, with its status', async t => {
  const page = await read('docs/api.md')
  for (const { code, statusCode } of Object.values(API_ERRORS)) {
    t.match(page, new RegExp(`^\\| ${code} \\| ${statusCode} \\|`, 'm'), String(code))
  }
})

t.test('the metrics of docs/operations.md are those of GET /metrics', async t => {
  const page = await read('docs/operations.md')
  const { url } = await startGateway(t, {
    ADMIN_TOKEN,
    REVENIUM_PLATFORM_API_KEY: 'unused',
    METERING_ACCESS_KEY: 'unused-but-long-enough',
    METERING: 'on',
    ENTITLEMENT: 'on',
    AUTHORIZE_ROUTE: 'on'
  })
  const scrape = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } })
  const served = [...(await scrape.text()).matchAll(/^# HELP (cloudwatch_postman_\w+)/gm)].map(([, name]) => name!)
  const documented = [...page.matchAll(/`(cloudwatch_postman_\w+)`(?=[^\n]*\|)/g)].map(([, name]) => name!)
  t.same(documented.sort(), served.sort())
})

t.test('the table of rooms in docs/architecture.md is the one that lint holds imports against', async t => {
  interface Rule { name: string, from: { path: string }, to: { pathNot: string[] } }
  const { forbidden } = createRequire(import.meta.url)(join(ROOT, '.dependency-cruiser.cjs')) as { forbidden: Rule[] }
  const nameOf = (path: string) => path.replace(/^\^/, '').replace(/[/$]$/, '').replaceAll('\\', '')
  const ground = ['lib/clock.ts', 'lib/guards.ts', 'lib/logger.ts', 'lib/configuration']
  const held = forbidden.filter(({ name }) => name.endsWith('imports only what it may')).map(({ from, to }) => {
    const room = nameOf(from.path)
    return [room, to.pathNot.map(nameOf).filter(path => path !== room && !ground.includes(path)).sort()]
  })
  const names = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
  const section = (await read('docs/architecture.md')).split('## Who imports whom')[1]!.split('\n## ')[0]!
  const rows = [...section.matchAll(/^\| (`.+) \| (.+) \|$/gm)]
  const documented = rows.flatMap(([, rooms, imports]) => names(rooms!).map(room => [room, names(imports!).sort()]))
  t.same(Object.fromEntries(documented), Object.fromEntries(held))
})

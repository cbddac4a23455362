import t from 'tap'
import { startGateway } from '../helpers/app.js'
import { askRaw } from '../helpers/raw.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'
const ACCESS_KEY = 'access-key-of-the-tests'
const SHOP = 'https://shop.example'

function corsNames (headers: Headers): string[] {
  return [...headers.keys()].filter(name => name.startsWith('access-control-'))
}

t.test('routes of operators and of servers have no CORS headers, whatever they answer', async t => {
  const { url } = await startGateway(t, {
    ADMIN_TOKEN,
    REVENIUM_PLATFORM_API_KEY: 'unused',
    METERING_ACCESS_KEY: ACCESS_KEY,
    AUTHORIZE_ROUTE: 'on'
  })
  const operators = [
    '/health/live', '/health/ready', '/metrics', '/admin/usage', '/admin/health', '/admin/revocations',
    '/admin/dead-letters'
  ]
  for (const path of operators) {
    for (const authorization of [`Bearer ${ADMIN_TOKEN}`, 'Bearer wrong']) {
      const answer = await fetch(url + path, { headers: { origin: SHOP, authorization } })
      t.same(corsNames(answer.headers), [], `${path} ${answer.status}`)
      t.equal(answer.headers.get('vary'), null, path)
    }
  }
  const servers: Array<[string, string]> = [
    ['GET', '/authorize'],
    ['POST', '/authorize/call'],
    ['POST', '/metering/access-logs'],
    ['POST', '/metering/firehose']
  ]
  for (const [method, path] of servers) {
    const answer = await fetch(url + path, { method, headers: { origin: SHOP } })
    t.not(answer.status, 404, path)
    t.same(corsNames(answer.headers), [], `${path} ${answer.status}`)
  }
})

t.test('what never reaches a route has the headers of what does, and a 404 too', async t => {
  const { url } = await startGateway(t)
  const expected = { 'access-control-allow-origin': '*', 'access-control-expose-headers': String }
  const answers = await Promise.all(
    ['/logEvents', '/nothing'].map(path => fetch(url + path, { method: 'POST', headers: { origin: SHOP } }))
  )
  const [routed, unknown] = answers.map(({ headers }) =>
    Object.fromEntries(corsNames(headers).map(name => [name, headers.get(name)])))
  t.match(routed, expected)
  t.same(unknown, routed)
  for (const text of [`GET /%zz HTTP/1.1\r\nHost: x\r\nOrigin: ${SHOP}\r\n\r\n`, 'rubbish\r\n\r\n']) {
    t.match((await askRaw(url, text)).headers, routed)
  }
})

t.test('where not every page may call, an answer is for the page that asks', async t => {
  const { url } = await startGateway(t, { CORS_ALLOWED_ORIGIN: `${SHOP}, https://blog.example` })
  const ask = (path: string, origin?: string) =>
    fetch(url + path, { method: 'POST', headers: origin === undefined ? {} : { origin } })
  for (const path of ['/logEvents', '/nothing']) {
    const { headers } = await ask(path, SHOP)
    t.equal(headers.get('access-control-allow-origin'), SHOP)
    t.match(headers.get('vary'), /origin/i)
    const other = await ask(path, 'https://evil.example')
    t.same(corsNames(other.headers), [])
    t.match(other.headers.get('vary'), /origin/i)
    t.same(corsNames((await ask(path)).headers), [], 'no page')
  }
})

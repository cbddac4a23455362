import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { CLIENT_SECRET_KEY, eventually, startGateway, type Gateway } from '../helpers/app.js'
import { servePage, startBrowser } from '../helpers/browser.js'

interface Seen {
  status: number,
  retryAfter: string | null,
  remaining: string | null,
  body: { accessToken?: string, accepted?: number, error?: { code: number } }
}

const browser = await startBrowser(t)
const origin = await servePage(t)

/** What the gateway was asked, preflights included. */
function observe ({ app }: Gateway): { count (method: string, path?: string): number } {
  const asked: string[] = []
  app.server.on('request', request => { asked.push(`${request.method} ${request.url}`) })
  return { count: (method, path = '') => asked.filter(line => line.startsWith(`${method} ${path}`)).length }
}

async function open (
  t: Test, { url }: Gateway, from = origin
): Promise<{ page: Page, call (expression: string): Promise<Seen> }> {
  const context = await browser.newContext()
  t.teardown(() => context.close())
  const page = await context.newPage()
  await page.goto(`${from}/?gateway=${encodeURIComponent(url)}`)
  return { page, call: expression => page.evaluate(expression) as Promise<Seen> }
}

async function tokenFor (call: (expression: string) => Promise<Seen>): Promise<string> {
  const { body } = await call(
    `client.token(${JSON.stringify(createClientToken(CLIENT_SECRET_KEY, Date.now(), 'browser'))})`
  )
  return body.accessToken!
}

async function delivered ({ sandbox }: Gateway, ...messages: string[]): Promise<boolean> {
  return await eventually(() => {
    const found = new Set([...sandbox.items('/browser')].map(({ message }) => message))
    return messages.every(message => found.has(message)) ? true : undefined
  }, 20_000)
}

t.test('fetch', async t => {
  const gateway = await startGateway(t)
  const asked = observe(gateway)
  const { call } = await open(t, gateway)
  const token = await tokenFor(call)
  t.equal(asked.count('OPTIONS'), 0, 'a token is traded without a preflight')

  t.match(await call(`client.json('${token}', 'json 1')`), { status: 201, body: { accepted: 1 } })
  t.equal(asked.count('OPTIONS', '/logEvents'), 1, 'one preflight')
  t.match(await call(`client.json('${token}', 'json 2')`), { status: 201 })
  t.match(await call(`client.json('${token}', 'json 3', { keepalive: true })`), { status: 201 })
  t.equal(asked.count('OPTIONS', '/logEvents'), 1, 'which is cached')
  t.match(
    await call(`client.json('${token}', 'json 4', { headers: { prefer: 'wait=10', 'idempotency-key': 'k' } })`),
    { status: 201 }
  )

  const preflights = asked.count('OPTIONS')
  t.match(await call(`client.text('${token}', 'text')`), { status: 201 })
  t.equal(asked.count('OPTIONS'), preflights, 'none for text with the token in the query')

  for (const format of ['gzip', 'deflate']) {
    t.match(await call(`client.compressed('${token}', '${format}', '${format}')`), { status: 201 }, format)
  }
  t.match(await call(`client.lines('${token}', 'line 1', 'line 2')`), { status: 201, body: { accepted: 2 } })
  t.ok(await delivered(gateway, 'json 1', 'json 2', 'json 3', 'json 4', 'text', 'gzip', 'deflate', 'line 1', 'line 2'))
})

t.test('beacons, and a page that is left', async t => {
  const gateway = await startGateway(t)
  const asked = observe(gateway)
  const { page, call } = await open(t, gateway)
  const token = await tokenFor(call)
  for (const expression of [
    `client.beacon('${token}', 'string')`, `client.beacon('${token}', 'blob', 'text/plain')`,
    `client.beacon('${token}', 'untyped', '')`, `client.beaconWithToken('${token}', 'token in the body')`
  ]) {
    t.equal(await page.evaluate(expression), true, expression.slice(0, 20))
  }
  t.ok(await delivered(gateway, 'string', 'blob', 'untyped', 'token in the body'))
  t.equal(asked.count('OPTIONS'), 0, 'none of them needs a preflight')

  t.test('by a link', async t => {
    await page.evaluate(`client.whenLeft('${token}', 'link')`)
    await page.goto('about:blank')
    t.ok(
      await delivered(
        gateway,
        'link visibilitychange string',
        'link visibilitychange blob',
        'link pagehide',
        'link keepalive'
      )
    )
  })

  t.test('by closing it', async t => {
    const { page } = await open(t, gateway)
    await page.evaluate(`client.whenLeft('${token}', 'close')`)
    await page.close({ runBeforeUnload: true })
    t.ok(
      await delivered(
        gateway,
        'close visibilitychange string',
        'close visibilitychange blob',
        'close pagehide',
        'close keepalive'
      )
    )
  })
})

t.test('a page can read every error, and when to come back', async t => {
  const gateway = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '12' })
  const { call } = await open(t, gateway)
  const token = await tokenFor(call)
  t.match(await call('client.json("forged", "m")'), { status: 401, body: { error: { code: 111 } } })
  t.match(await call('send("/logEvents", { body: "{" })'), { status: 400, body: { error: { code: 120 } } })
  t.match(await call('send("/nothing", { body: "{}" })'), { status: 404, body: { error: { code: 140 } } })
  t.match(await call('send("/%zz", { body: "{}" })'), { status: 400, body: { error: { code: 124 } } })
  t.match(await call('send("/logEvents", { headers: { "content-type": "application/xml" }, body: "<m/>" })'), {
    status: 415, body: { error: { code: 131 } }
  })
  t.match(await call(`client.json('${token}', 'x'.repeat(2_200_000))`), { status: 413, body: { error: { code: 130 } } })
  t.match(await call('send("/logEvents?x=" + "x".repeat(9_000), { body: "{}" })'), {
    status: 414, body: { error: { code: 133 } }
  })
  t.match(await call('send("/logEvents?x=" + "x".repeat(20_000), { body: "{}" })'), {
    status: 431, body: { error: { code: 134 } }
  })
  const limited = await eventually(async () => {
    const seen = await call(`client.text('${token}', 'm')`)
    return seen.status === 201 ? undefined : seen
  })
  t.match(limited, { status: 429, remaining: '0', body: { error: { code: 150 } } })
  t.ok(Number(limited.retryAfter) > 0 && Number(limited.retryAfter) <= 60, `Retry-After: ${limited.retryAfter}`)
})

t.test('only pages of the allowed origins get through', async t => {
  const gateway = await startGateway(t, { CORS_ALLOWED_ORIGIN: `https://shop.example, ${origin}` })
  const { call } = await open(t, gateway)
  const token = await tokenFor(call)
  t.match(await call(`client.json('${token}', 'allowed')`), { status: 201 })
  const other = await open(t, gateway, await servePage(t))
  t.equal(await other.call(`client.json('${token}', 'json of another')`), 'blocked')
  t.equal(await other.call(`client.text('${token}', 'text of another')`), 'blocked')
  t.ok(await delivered(gateway, 'allowed'))
  t.notOk([...gateway.sandbox.items('/browser')].some(({ message }) => message.includes('another')))
})

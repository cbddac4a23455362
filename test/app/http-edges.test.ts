import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import t from 'tap'
import app, { options } from '../../app.js'
import { startGateway } from '../helpers/app.js'
import { askRaw, openRaw } from '../helpers/raw.js'

interface Document {
  servers: Array<{ url: string, variables?: Record<string, { default: string }> }>
  paths: Record<string, object>
}

const ADMIN_TOKEN = 'admin-token-of-the-tests'

t.test('HTTP edges', async t => {
  const gateway = await startGateway(t, { ADMIN_TOKEN })
  const { app, url } = gateway
  const authorization = `Bearer ${await gateway.token()}`
  const post = (body: string, more = '') =>
    `POST /logEvents HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: ` +
      `application/json\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`
  const good = post(JSON.stringify({ logGroupName: '/edges', logStreamName: 's', logEvents: [{ message: 'm' }] }))
  const accepted = async () => (await app.spool.ledger()).accepted

  t.test('nothing is worked on behind an answer that closes the connection', async t => {
    const before = await accepted()
    for (const first of [
      post('{bad'),
      post('x'.repeat(3_000_000)),
      post('{}', 'Connection: close\r\n'),
      post('{}', 'Content-Encoding: unknown\r\n')
    ]) {
      const { write, closed } = openRaw(url)
      write(first + good + good)
      t.equal((await closed).split('HTTP/1.1 ').length - 1, 1, first.slice(0, 20))
    }
    await sleep(200)
    t.equal(await accepted(), before)
  })

  t.test('behind any other answer everything is, in order', async t => {
    const before = await accepted()
    const { write, closed } = openRaw(url)
    write(
      good + post('{"logGroupName":5}') + good + good.replace(
        'Content-Type', 'Connection: close\r\nContent-Type'
      ) + good
    )
    const statuses = [...(await closed).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
    t.same(statuses, ['201', '400', '201', '201'])
    t.equal(await accepted(), before + 3)
  })

  t.test('what is not HTTP is answered behind the requests before it', async t => {
    const before = await accepted()
    const { write, closed } = openRaw(url)
    write(`${good}${good}GARBAGE\r\n\r\n`)
    t.same([...(await closed).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status), ['201', '201', '400'])
    t.equal(await accepted(), before + 2)
  })

  t.test('one Host, and nothing that nobody can give', async t => {
    const requests = {
      'no Host': 'GET /health/live HTTP/1.1\r\n\r\n',
      'no Host of an unknown path': 'GET /nothing HTTP/1.1\r\n\r\n',
      'two Hosts': 'GET /health/live HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n',
      'the same Host twice': 'GET /health/live HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n',
      'an unknown Expect': 'GET /health/live HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n'
    }
    for (const [name, request] of Object.entries(requests)) {
      const { status, headers, body } = await askRaw(url, request)
      t.match(
        { status, headers, body: JSON.parse(body) },
        {
          status: 400,
          headers: { connection: 'close', 'x-content-type-options': 'nosniff' },
          body: { error: { code: 124 } }
        },
        name
      )
    }
    t.equal((await askRaw(url, 'GET /health/live HTTP/1.0\r\n\r\n')).status, 200, 'an older client')
    const { write, closed } = openRaw(url)
    write(good.replace('Host: x\r\n', 'Host: x\r\nConnection: close\r\nExpect: 100-continue\r\n'))
    t.match(
      await closed, /^HTTP\/1\.1 100 Continue[\s\S]*HTTP\/1\.1 201/, 'whoever asks before it sends is told to go on'
    )
  })

  t.test('no path leads out of the documentation', async t => {
    const headers = `Host: x\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\n`
    for (const path of [
      '/documentation/../metrics', '/documentation/static/../../metrics',
      '/documentation/static/%2e%2e/%2e%2e/package.json', '/documentation/..%2fmetrics',
      '/documentation/static/..%2f..%2fpackage.json', '/documentation/static/nothing'
    ]) {
      const { status, body } = await askRaw(url, `GET ${path} HTTP/1.1\r\n${headers}\r\n`)
      t.match({ status, body: JSON.parse(body) }, { status: 404, body: { error: { code: 140 } } }, path)
    }
    t.equal((await fetch(`${url}/documentation/static/nothing`, { method: 'POST' })).status, 405)
  })
})

t.test('the documentation links by relative paths, with a slash or without, also under a prefix', async t => {
  const gateway = await startGateway(t)
  const host = Fastify({ ...options, pluginTimeout: 60_000 })
  const environment = {
    CLIENT_SECRET_KEY: 'client-secret-of-this-test',
    ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-this-test',
    AWS_REGION: 'eu-west-1',
    DATA_DIR: t.testdir(),
    FORWARDER: 'off',
    MAX_EVENT_LOOP_DELAY_MS: '0'
  }
  await host.register(async scope => { await scope.register(app, { environment }) }, { prefix: '/telemetry' })
  t.teardown(() => host.close())
  const prefixed = `${await host.listen({ port: 0, host: '127.0.0.1' })}/telemetry`
  for (const base of [gateway.url, prefixed]) {
    for (const page of [`${base}/documentation`, `${base}/documentation/`]) {
      const links = [...(await (await fetch(page)).text()).matchAll(/(?:href|src)="([^"]+)"/g)].map(([, link]) => link!)
      t.ok(links.length >= 6, page)
      for (const link of links) {
        t.notMatch(link, /^\/|^https?:/)
        t.equal((await fetch(new URL(link, page))).status, 200, `${page} → ${link}`)
      }
    }
    const document = await (await fetch(`${base}/documentation/json`)).json() as Document
    t.equal(
      new URL(document.servers[0]!.url, `${base}/documentation/json`).href.replace(/\/$/, ''),
      base,
      'requests of the page go to the gateway'
    )
    for (const path of ['/token', '/health/live', '/metric']) t.ok(Object.hasOwn(document.paths, path), path)
    const file = await fetch(`${base}/openapi.json`)
    t.match(file.headers.get('content-type'), /^application\/json/)
    const { servers: [server], ...rest } = await file.json() as Document
    t.equal(server!.url, '{gateway}')
    t.equal(new URL(server!.variables!.gateway!.default, `${base}/openapi.json`).href.replace(/\/$/, ''), base)
    const { servers: _servers, ...shown } = document
    t.same(rest, shown, 'the file is what the pages show')
    t.equal((await fetch(`${base}/openapi.json`, { method: 'HEAD' })).status, 200)
    const index = await fetch(`${base}/documentation/static/index.html`, { redirect: 'manual' })
    // A path would lack the prefix that a proxy has taken off.
    t.equal(index.headers.get('location'), '../')
  }
})

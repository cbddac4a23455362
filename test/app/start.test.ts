import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import app from '../../app.js'
import { Disk } from '../../tools/chaos/disk.js'
import { findPort } from '../../tools/shared/ports.js'
import { startRedis } from '../../tools/shared/redis.js'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { ConfigurationError } from '../../lib/configuration/configuration-error.js'
import { startSandbox } from '../../tools/sandbox/server.js'
import { eventually, redisUrl } from '../helpers/app.js'
import { openRaw } from '../helpers/raw.js'
import { emptyFolder, ENVIRONMENT, SECRET, startFault, startProcess } from '../helpers/start.js'

const ADMIN_TOKEN = 'admin-token-of-this-test'

/** What is wrong, the variables that make it so, and what is said. */
type Case = [name: string, environment: Record<string, string>, message: RegExp]

type StartParameters = Parameters<typeof startProcess> extends [unknown, ...infer Rest] ? Rest : never

const folder = (): Promise<string> => emptyFolder(t)
const start = (...args: StartParameters): ReturnType<typeof startProcess> => startProcess(t, ...args)
const faultOf = (environment: Record<string, string>): Promise<unknown> => startFault(t, environment)

async function untilReady (url: string): Promise<void> {
  await eventually(() => fetch(`${url}/health/ready`).then(() => true, () => undefined))
}

/** That a process has said which variables are at fault, in one message and nothing else. */
function saysFaults (t: Test, output: string, faults: string[]): void {
  t.same(output.split('\n').map(line => line.split(':')[0]), [
    'The configuration cannot be used.',
    ...faults.map(fault => `  ${fault}`),
    'See .env.example.',
    ''
  ])
}

t.test('what cannot work stops the start with a message that says what and how to mend it', async t => {
  const file = join(await folder(), 'file')
  await writeFile(file, '')
  const [rubbish, folders] = [await folder(), await folder()]
  await mkdir(join(rubbish, 'shared'))
  await writeFile(join(rubbish, 'shared', 'data.mdb'), 'rubbish'.repeat(10_000))
  await mkdir(join(folders, 'data.mdb'))
  const full = Disk.mount(await folder(), 1_048_576)
  t.teardown(() => full?.close())
  const guarded = await startRedis()
  t.teardown(() => guarded.stop())
  const client = new Redis(guarded.url)
  await client.config('SET', 'requirepass', 'right')
  client.disconnect()
  const unknownPassword: Case = [
    'a password that Redis does not know',
    { REDIS_URL: guarded.url.replace('://', '://:hidden-password@') },
    /Redis at redis:\/\/127\.0\.0\.1:\d+ cannot be used: WRONGPASS[\s\S]*REDIS_URL/
  ]
  const noApplications: Case = [
    'applications that are not there',
    { APPS_FILE: `${file}.json` },
    /The applications in .*file\.json \(APPS_FILE\) cannot be used\.\n {2}ENOENT/
  ]
  const cases: Case[] = [
    [
      'a Redis that is not there',
      { REDIS_URL: `redis://:hidden-password@127.0.0.1:${await findPort()}` },
      /Redis at redis:\/\/127\.0\.0\.1:\d+ cannot be used[\s\S]*REDIS_URL/
    ],
    [
      'a database that Redis has not',
      { REDIS_URL: `${await redisUrl(t)}/99` },
      /Redis at redis:\/\/127\.0\.0\.1:\d+ cannot be used: ERR DB index is out of range[\s\S]*REDIS_URL/
    ],
    unknownPassword,
    noApplications,
    [
      'rubbish in DATA_DIR/shared',
      { DATA_DIR: rubbish },
      /shared\/data\.mdb \(DATA_DIR\) is not a spool, or it is damaged: move it away/
    ],
    ['a data file that is a folder', { DATA_DIR: folders }, /data\.mdb \(DATA_DIR\) cannot be read/],
    ...(
      full === null
        ? []
        : [
            [
              'a first start on a full disk',
              { DATA_DIR: join(full.path, 'data') },
              /the disk under .*data \(DATA_DIR\) is full: \d+ bytes are left/
            ] as Case
          ]
    ),
    ['a DATA_DIR that cannot be written', { DATA_DIR: join(file, 'data') }, /DATA_DIR|file[\s\S]*data/]
  ]
  for (const [name, environment, message] of cases) {
    const fault = await faultOf(environment) as Error
    t.ok(fault instanceof ConfigurationError, name)
    t.match(fault.message, message, name)
    t.notMatch(fault.message, /hidden-password/, 'no secret')
  }
  // That of the spool is told to a second process below.
  for (const [name, environment, message] of [unknownPassword, noApplications]) {
    const { exit, output } = start({ PORT: String(await findPort()), ...environment })
    t.equal(await exit, 1, `${name}: exit code`)
    t.match(output(), message, name)
    t.notMatch(output(), /hidden-password/, 'no secret')
    t.notMatch(output(), /^ +at |Node\.js v/m, `${name}: no trace`)
  }
})

t.test('without a .env, every variable that is missing is named, in one message', async t => {
  const { exit, output } = start(
    { CLIENT_SECRET_KEY: '', ACCESS_TOKEN_SECRET_KEY: '', AWS_REGION: '' }, undefined, await folder()
  )
  t.equal(await exit, 1)
  saysFaults(t, output(), [
    'CLIENT_SECRET_KEY is missing', 'ACCESS_TOKEN_SECRET_KEY is missing', 'AWS_REGION is missing'
  ])
})

t.test('of a wrong configuration the operator sees one message, of every variable, and nothing else', async t => {
  const cwd = await folder()
  await writeFile(join(cwd, '.env'), '\uFEFFTRUST_PROXY=hidden-proxy\r\nPORT=hidden-port\r\n')
  for (const options of [undefined, []]) {
    const { exit, output } = start(
      { AWS_REGION: '', REDIS_URL: 'redis:hidden-password', DATA_DIR: await folder() }, options, cwd
    )
    t.equal(await exit, 1)
    saysFaults(t, output(), ['PORT is wrong', 'AWS_REGION is missing', 'TRUST_PROXY is wrong', 'REDIS_URL is wrong'])
    t.match(output(), /AWS_REGION is missing: it must be the Region/)
    t.match(output(), /REDIS_URL is wrong: it must be redis:/)
    t.notMatch(output(), /hidden/, 'no value')
  }
})

t.test('a .env in UTF-16 is refused by its name', async t => {
  const cwd = await folder()
  const text = 'AWS_REGION=eu-west-1\r\nADMIN_TOKEN=hidden-token-of-this-test\r\n'
  await writeFile(join(cwd, '.env'), Buffer.from(`\uFEFF${text}`, 'utf16le'))
  const { exit, output } = start({ AWS_REGION: undefined }, undefined, cwd)
  t.equal(await exit, 1)
  t.match(output(), /^The variables in .*\.env cannot be read\.\n {2}it is in UTF-16, and has to be saved as UTF-8/)
  t.equal(output().split('\n').length, 3, 'nothing else')
})

t.test('the first variable of a .env with a byte order mark is read, whoever reads it', async t => {
  const cwd = await folder()
  const DATA_DIR = await folder()
  const port = await findPort()
  await writeFile(join(cwd, '.env'), `\uFEFFPORT=${port}\r\nAWS_REGION=eu-west-1\r\n`)
  const first = start({ AWS_REGION: undefined, DATA_DIR, FORWARDER: 'off', WEB_CONCURRENCY: '3' }, undefined, cwd)
  await untilReady(`http://127.0.0.1:${port}`)
  await t.test('a port that is taken is named, without a trace', async t => {
    const { exit, output } = start({ DATA_DIR: await folder(), FORWARDER: 'off', PORT: undefined }, [
      '-p', String(port), '-a', '127.0.0.1', '-l', 'error'
    ])
    t.equal(await exit, 1)
    t.match(output(), `The gateway cannot listen on 127.0.0.1:${port} (HOST, PORT): another process listens there`)
    t.notMatch(output(), /\s+at .*:\d+:\d+/)
  })
  await t.test('a second process on the same embedded spool is told so', async t => {
    const second = start({ PORT: String(await findPort()), DATA_DIR })
    t.equal(await second.exit, 1)
    t.match(second.output(), /another process/)
    t.match(second.output(), /REDIS_URL/)
    t.notMatch(second.output(), /^ +at |Node\.js v/m, 'no trace')
  })
  await t.test('fastify start is one process, and says so when several are asked for', async t => {
    t.equal(first.output().match(/WEB_CONCURRENCY is 3, and this is one process: npm start starts several/g)?.length, 1)
  })
  first.child.kill('SIGTERM')
  t.equal(await first.exit, 0)
})

t.test('SIGTERM right after a 201: the item is delivered before the process ends, and nothing secret was logged', async t => {
  const sandbox = await startSandbox({})
  t.teardown(() => sandbox.close())
  const port = await findPort()
  const url = `http://127.0.0.1:${port}`
  const { child, exit, output } = start({
    PORT: String(port),
    DATA_DIR: await folder(),
    AWS_ENDPOINT_URL: sandbox.url,
    FLUSH_INTERVAL_MS: '30000',
    LOG_LEVEL: 'trace'
  })
  await untilReady(url)
  const post = (path: string, body: object) =>
    fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const clientToken = createClientToken(SECRET, Date.now(), 'salt')
  const { accessToken } = await (await post('/token', { clientToken })).json() as { accessToken: string }
  await post('/token', { clientToken: `${clientToken}x` })
  await fetch(`${url}/nothing?accessToken=${accessToken}`)
  const answer = await post(`/logEvents?accessToken=${accessToken}`, {
    logGroupName: '/term', logStreamName: 's', logEvents: [{ message: 'the payload of this test' }]
  })
  t.equal(answer.status, 201)
  t.equal(sandbox.ledger().events, 0, 'it waits for company')
  const unfinished = openRaw(url)
  unfinished.write('POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{')
  // Answered behind what has come before.
  await fetch(`${url}/health/live`)
  child.kill('SIGTERM')
  t.equal(await exit, 0, 'a request that never comes whole does not hold it up')
  t.same([...sandbox.items('/term')].map(({ message }) => message), ['the payload of this test'])
  for (const secret of [accessToken, clientToken, SECRET, 'access-secret', 'aws-secret', 'the payload']) {
    t.notMatch(output(), secret)
  }
})

/** What the exported options would have set, and a plugin sets for any other server. */
async function checkWithoutOptions (t: Test, url: string, output: () => string): Promise<void> {
  await untilReady(url)
  t.equal(output().match(/--options/g)?.length, 1, 'one line says what only options can set')

  const post = (path: string, body: object) =>
    fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const { accessToken } = await (await post('/token', {
    clientToken: createClientToken(SECRET, Date.now(), 'salt')
  })).json() as { accessToken: string }
  const logs = (event: object) => ({ logGroupName: '/g', logStreamName: 's', logEvents: [event] })
  const answer = await post(`/logEvents?accessToken=${accessToken}`, logs({ message: 'm' }))
  t.equal(answer.status, 201)
  const { ResponseMetadata } = await answer.json() as { ResponseMetadata: { RequestId: string } }
  t.match(ResponseMetadata.RequestId, /^[0-9a-f]{8}-[0-9a-f]{4}-4/, 'a random request id')

  await post(`/nothing?accessToken=${accessToken}`, {})
  await fetch(`${url}/%zz?accessToken=${accessToken}`)
  await fetch(`${url}/logEvents?accessToken=${accessToken}`, {
    method: 'OPTIONS', headers: { origin: 'https://shop.example' }
  })
  await fetch(`${url}/documentation?accessToken=${accessToken}`)
  const { write, answer: malformed } = openRaw(url)
  write(`GET /logEvents?accessToken=${accessToken} HTTP/1.1\r\nHost: x\r\n: broken\r\n\r\n`)
  t.match(await malformed, { status: 400, body: /"code":124/ }, 'bytes that are not HTTP')
  t.equal((await post('/token', { clientToken: 5 })).status, 401, 'a number does not become a string')
  t.equal(
    (await post(`/logEvents?accessToken=${accessToken}`, { ...logs({ message: 'm' }), logGroupName: 5 })).status, 400
  )
  const large = await post('/token', { clientToken: 'x'.repeat(1_100_000) })
  t.equal(large.status, 413, 'bodies have a limit')
  t.match(await large.json(), { error: { code: 130 } })
  t.equal(large.headers.get('access-control-allow-origin'), '*')
  const revocation = await fetch(`${url}/admin/revocations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ jti: 'x'.repeat(1_100_000) })
  })
  t.equal(revocation.status, 413, 'also those with a token')
  for (const secret of [accessToken, 'accessToken=', [...Buffer.from(accessToken)].join(), 'rawPacket']) {
    t.notMatch(output(), secret, 'no token is logged')
  }
  t.match(output(), /incoming request/, 'requests are')
  t.notMatch(output(), /"reqId":"req-/)
}

t.test('fastify start without --options leaks nothing and answers right', async t => {
  const port = await findPort()
  const { child, exit, output } = start(
    { PORT: String(port), DATA_DIR: await folder(), FASTIFY_ADDRESS: '127.0.0.1', FORWARDER: 'off', ADMIN_TOKEN },
    ['-l', 'trace', '-p', String(port), '-g', '15000', '-T', '60000']
  )
  await checkWithoutOptions(t, `http://127.0.0.1:${port}`, output)
  child.kill('SIGTERM')
  t.equal(await exit, 0)
})

t.test('so does the app inside another, whose own routes stay as they are', async t => {
  let output = ''
  const host = Fastify({
    bodyLimit: 50_000_000,
    pluginTimeout: 60_000,
    logger: { level: 'trace', stream: { write: (line: string) => { output += line } } }
  })
  host.get(
    '/own/:n',
    { schema: { params: { type: 'object', properties: { n: { type: 'integer' } } } } },
    async ({ params }) => params
  )
  await host.register(app, {
    environment: {
      ...ENVIRONMENT, ADMIN_TOKEN, DATA_DIR: await folder(), FORWARDER: 'off', MAX_EVENT_LOOP_DELAY_MS: '0'
    }
  })
  t.teardown(() => host.close())
  const url = await host.listen({ port: 0, host: '127.0.0.1' })
  await checkWithoutOptions(t, url, () => output)
  t.same(await (await fetch(`${url}/own/5`)).json(), { n: 5 }, 'the host coerces as before')
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { options } from '../../../app.js'
import { startRedis } from '../../../tools/shared/redis.js'
import { CLIENT_SECRET_KEY, eventually, useSandbox } from '../../helpers/app.js'
import { openApp } from '../../../tools/shared/open-app.js'

const ACCESS_TOKEN_SECRET_KEY = 'access-secret-of-the-tests'
const AWS_SECRET_ACCESS_KEY = 'aws-secret/of+the-tests'
const PASSWORD = 'password-of-redis'

type Line = { msg: string, err?: Record<string, unknown> } & Record<string, unknown>

/** The app with a log of its own, and what was logged. */
async function startLogging (t: Test, environment: Record<string, string> = {}) {
  await useSandbox(t)
  process.env.AWS_SECRET_ACCESS_KEY = AWS_SECRET_ACCESS_KEY
  const dataDir = await mkdtemp(join(tmpdir(), 'postman-secrets-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  let output = ''
  const instance = Fastify({
    ...options,
    pluginTimeout: 60_000,
    logger: { level: 'info', stream: { write: (line: string) => { output += line } } }
  })
  t.teardown(() => instance.close())
  await instance.register(openApp, {
    environment: {
      CLIENT_SECRET_KEY,
      ACCESS_TOKEN_SECRET_KEY,
      AWS_REGION: 'eu-west-1',
      DATA_DIR: dataDir,
      FORWARDER: 'off',
      SHUTDOWN_GRACE_MS: '500',
      ...environment
    }
  })
  await instance.ready()
  return {
    log: instance.log,
    output: () => output,
    lines: () => output.split('\n').filter(line => line !== '').map(line => JSON.parse(line) as Line)
  }
}

t.test('what others say is logged without secrets, wherever it stands, and without objects', async t => {
  const { log, output, lines } = await startLogging(t)
  const cause = new Error(`The signature of ${AWS_SECRET_ACCESS_KEY} does not match`)
  const refused = Object.assign(new Error('SignatureDoesNotMatch', { cause }), {
    code: 'SignatureDoesNotMatch',
    statusCode: 403,
    echo: `aws-secret%2Fof%2Bthe-tests and ${Buffer.from(AWS_SECRET_ACCESS_KEY).toString('base64')}`,
    command: { name: 'auth', args: [PASSWORD, 'the payload of this test'] }
  })
  log.error({ err: refused }, `with ${ACCESS_TOKEN_SECRET_KEY}`)
  log.error(new Error(`of ${CLIENT_SECRET_KEY}`))
  log.child({ of: CLIENT_SECRET_KEY }).warn(
    { err: new AggregateError([cause, refused]), list: [{ text: `"${ACCESS_TOKEN_SECRET_KEY}"` }], n: 1764 }, 'child'
  )
  log.warn({ err: 'no error' }, 'text')
  const [first, second, third, fourth] = lines().slice(-4)
  t.match(first, {
    level: 50,
    msg: 'with [secret]',
    err: {
      type: 'Error',
      message: 'SignatureDoesNotMatch: The signature of [secret] does not match',
      stack: /caused by: Error: The signature of \[secret\] does/,
      code: 'SignatureDoesNotMatch',
      statusCode: 403,
      echo: '[secret] and [secret]'
    }
  })
  t.match(second, { msg: 'of [secret]', err: { message: 'of [secret]', stack: /Error: of \[secret\]/ } })
  t.match(third, {
    of: '[secret]',
    msg: 'child',
    n: 1764,
    list: [{ text: '"[secret]"' }],
    err: { aggregateErrors: [{ message: 'The signature of [secret] does not match' }, { statusCode: 403 }] }
  })
  t.match(fourth, { msg: 'text', err: 'no error' })
  for (const secret of [
    AWS_SECRET_ACCESS_KEY, ACCESS_TOKEN_SECRET_KEY, CLIENT_SECRET_KEY, PASSWORD, 'payload', 'args'
  ]) {
    t.notOk(output().includes(secret), secret)
  }
})

t.test('a Redis that refuses its password is logged without it', async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  await client.config('SET', 'requirepass', PASSWORD)
  const { output, lines } = await startLogging(t, { REDIS_URL: redis.url.replace('://', `://:${PASSWORD}@`) })
  await client.config('SET', 'requirepass', 'another-password')
  await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  const away = await eventually(() => lines().find(({ msg }) => msg === 'Redis is away'))
  t.match(away.err, { message: /WRONGPASS/ })
  t.notMatch(output(), PASSWORD)
})

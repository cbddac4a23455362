import Fastify from 'fastify'
import t from 'tap'
import config from '../../plugins/config.js'
import { ConfigSchema, type Config } from '../../schemas/config.js'

const REQUIRED = { CLIENT_SECRET_KEY: 'a client secret', ACCESS_TOKEN_SECRET_KEY: 'an access secret', AWS_REGION: 'eu-west-1' }

async function read (environment: Record<string, string>): Promise<Config> {
  const fastify = Fastify()
  await fastify.register(config, { environment })
  return fastify.config
}

/** The lines of the refusal, one for each variable. */
async function refused (environment: Record<string, string>): Promise<string[]> {
  const error = await read(environment).then(() => null, (error: Error) => error)
  if (error === null) return []
  const [first, ...lines] = error.message.split('\n')
  t.equal(first, 'The configuration cannot be used.')
  t.equal(lines.pop(), 'See .env.example.')
  return lines.map(line => line.trim())
}

t.test('what is not set has its default, and what has none is absent', async t => {
  const values = await read(REQUIRED)
  t.match(values, { ...REQUIRED, PORT: 8080, FORWARDER: 'on', REDIS_PREFIX: 'cloudwatch-postman' })
  t.notOk('REDIS_URL' in values)
  t.notOk('LOG_RETENTION_DAYS' in values)
})

t.test('a variable that is empty or blank counts as one that is not set', async t => {
  t.match(await read({ ...REQUIRED, PORT: '', FORWARDER: ' ' }), { PORT: 8080, FORWARDER: 'on' })
  t.match(await refused({ ...REQUIRED, AWS_REGION: ' ' }), [/^AWS_REGION is missing: it must be the Region/])
})

t.test('spaces around a value do not count, numbers become numbers, and variables of others are left out', async t => {
  const values = await read({ ...REQUIRED, PORT: ' 3000 ', LOG_RETENTION_DAYS: '14', REDIS_PREFIX: '7', HOME: '/home/somebody' })
  t.match(values, { PORT: 3_000, LOG_RETENTION_DAYS: 14, REDIS_PREFIX: '7' })
  t.notOk('HOME' in values)
})

t.test('a list is an array of what stands between the commas, without spaces and empty entries', async t => {
  t.match(await read(REQUIRED), { CORS_ALLOWED_ORIGIN: ['*'], ALLOWED_NAMESPACES: ['*'], ALLOWED_LOG_GROUPS: ['*'] })
  const values = await read({
    ...REQUIRED,
    CORS_ALLOWED_ORIGIN: ' https://a.example , https://b.example,, ',
    ALLOWED_LOG_GROUPS: '/one/*',
    REDACT_PATTERNS: 'email , card-number',
    METER_EXCLUDE_STATUSES: '404, 5xx',
    ACCESS_TOKEN_PREVIOUS_SECRET_KEYS: 'one,two'
  })
  t.match(values, {
    CORS_ALLOWED_ORIGIN: ['https://a.example', 'https://b.example'],
    ALLOWED_LOG_GROUPS: ['/one/*'],
    REDACT_PATTERNS: ['email', 'card-number'],
    METER_EXCLUDE_STATUSES: ['404', '5xx'],
    ACCESS_TOKEN_PREVIOUS_SECRET_KEYS: ['one', 'two']
  })
  t.notOk('REDACT_FIELDS' in values)
})

t.test('the schema stays as it is, and a process may read its environment twice', async t => {
  const before = JSON.stringify(ConfigSchema)
  t.equal((await read({ ...REQUIRED, PORT: '1' })).PORT, 1)
  t.equal((await read({ ...REQUIRED, PORT: '2' })).PORT, 2)
  t.equal(JSON.stringify(ConfigSchema), before)
})

t.test('what a variable cannot be is refused by its name and what it must be, without its value', async t => {
  const wrong: Array<[keyof Config, string]> = [
    ['PORT', '80.5'], ['PORT', '65536'], ['PORT', '-1'], ['PORT', 'http'], ['PORT', '80a'], ['PORT', 'Infinity'], ['SPOOL_MAX_BYTES', 'Infinity'], ['SPOOL_MAX_BYTES', '1e999'], ['PORT', 'true'],
    ['FORWARDER', 'yes'], ['FORWARDER', 'ON'], ['LOG_RETENTION_DAYS', '15'], ['LOG_RETENTION_DAYS', 'seven'],
    ['REDIS_URL', 'localhost:6379'], ['ROUTE_PREFIX', 'metrics/'], ['REDACT_PATTERNS', 'email,shoe-size'], ['METER_EXCLUDE_STATUSES', '404,600'],
    ['CORS_ALLOWED_ORIGIN', ','], ['ALLOWED_DIMENSIONS', ' , '], ['TRUST_PROXY', '10.0.0.0/33']
  ]
  for (const [name, value] of wrong) {
    const lines = await refused({ ...REQUIRED, [name]: value })
    t.equal(lines.length, 1, `${name}=${value}`)
    t.match(lines[0], new RegExp(`^${name} is wrong: it must be `))
    t.notOk(lines[0].includes(`"${value}"`))
  }
})

t.test('every variable at fault is named, each once', async t => {
  const lines = await refused({ PORT: 'secret-value', FORWARDER: 'secret-value', TRUST_PROXY: 'secret-value', METERING: 'on' })
  const names = lines.map(line => line.split(':')[0])
  t.same(names, ['PORT is wrong', 'CLIENT_SECRET_KEY is missing', 'ACCESS_TOKEN_SECRET_KEY is missing', 'AWS_REGION is missing', 'TRUST_PROXY is wrong', 'REVENIUM_PLATFORM_API_KEY is missing', 'FORWARDER is wrong'])
  t.notMatch(lines.join(), /secret-value/)
})

t.test('what one variable asks of another is asked of both', async t => {
  const { CLIENT_SECRET_KEY, ...others } = REQUIRED
  t.match(await refused(others), [/^CLIENT_SECRET_KEY is missing/])
  t.same(await refused({ ...others, APPS_FILE: 'apps.json' }), [])
  const needing: Array<Record<string, string>> = [{ METERING: 'on' }, { ENTITLEMENT: 'on' }, { AUTHORIZE_ROUTE: 'on' }, { METERING_ACCESS_KEY: 'a key of enough characters' }]
  for (const needs of needing) {
    t.match(await refused({ ...REQUIRED, ...needs }), [/^REVENIUM_PLATFORM_API_KEY is missing/], JSON.stringify(needs))
    t.same(await refused({ ...REQUIRED, ...needs, REVENIUM_PLATFORM_API_KEY: 'platform' }), [])
  }
})

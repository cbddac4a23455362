import Fastify from 'fastify'
import t from 'tap'
import config from '../../plugins/config.js'
import { ConfigSchema, type Config } from '../../schemas/config.js'

const REQUIRED = {
  CLIENT_SECRET_KEY: 'the client secret', ACCESS_TOKEN_SECRET_KEY: 'the access secret', AWS_REGION: 'eu-west-1'
}

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
  const values = await read({
    ...REQUIRED,
    PORT: ' 3000 ',
    LOG_RETENTION_DAYS: '14',
    REDIS_PREFIX: '7',
    HOME: '/home/somebody'
  })
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
    ACCESS_TOKEN_PREVIOUS_SECRET_KEYS: 'a-secret-of-before, another-secret-of-before'
  })
  t.match(values, {
    CORS_ALLOWED_ORIGIN: ['https://a.example', 'https://b.example'],
    ALLOWED_LOG_GROUPS: ['/one/*'],
    REDACT_PATTERNS: ['email', 'card-number'],
    METER_EXCLUDE_STATUSES: ['404', '5xx'],
    ACCESS_TOKEN_PREVIOUS_SECRET_KEYS: ['a-secret-of-before', 'another-secret-of-before']
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
    ['PORT', '80.5'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', 'http'],
    ['PORT', '80a'],
    ['PORT', 'Infinity'],
    ['SPOOL_MAX_BYTES', 'Infinity'],
    ['SPOOL_MAX_BYTES', '1e999'],
    ['PORT', 'true'],
    ['FORWARDER', 'yes'], ['FORWARDER', 'ON'], ['LOG_RETENTION_DAYS', '15'], ['LOG_RETENTION_DAYS', 'seven'],
    ['REDIS_URL', 'localhost:6379'],
    ['ROUTE_PREFIX', 'metrics/'],
    ['REDACT_PATTERNS', 'email,shoe-size'],
    ['METER_EXCLUDE_STATUSES', '404,600'],
    ['CORS_ALLOWED_ORIGIN', ','],
    ['CORS_ALLOWED_ORIGIN', 'shop.example'],
    ['CORS_ALLOWED_ORIGIN', 'https://shop.example/'],
    ['CORS_ALLOWED_ORIGIN', 'https://Shop.example'],
    ['PUBLIC_ORIGIN', 'shop.example'],
    ['PUBLIC_ORIGIN', 'https://shop.example/'],
    ['PUBLIC_ORIGIN', 'https://shop.example:443'],
    ['PUBLIC_ORIGIN', 'https://a.example,https://b.example'],
    ['PUBLIC_ORIGIN', '*'],
    ['AWS_REGION', 'eu west 1'],
    ['AWS_REGION', 'eu-west-1a'],
    ['AWS_REGION', 'EU-WEST-1'],
    ['AWS_REGION', 'eu-west'],
    ['AWS_REGION', 'eu-west-1/'],
    ['CLIENT_SECRET_KEY', 'fifteen-letters'],
    ['ACCESS_TOKEN_SECRET_KEY', 'b'],
    ['ACCESS_TOKEN_PREVIOUS_SECRET_KEYS', 'long-enough-for-it,short'],
    ['ADMIN_TOKEN', 'fifteen-letters'], ['ADMIN_TOKEN', 'no header holds ü'], ['ADMIN_TOKEN', 'it has a blank inside'],
    ['REVENIUM_PLATFORM_API', 'https://'],
    ['REVENIUM_PLATFORM_API', 'https://api example/'],
    ['REVENIUM_ENTITLEMENT_API', 'https://user:password@api.example'],
    ['ALLOWED_DIMENSIONS', ' , '],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['LOG_STREAM_SHARDS', '0'], ['LOG_STREAM_SHARDS', '101'], ['LOG_STREAM_SHARDS', 'hot'], ['LOG_STREAM_SHARDS', '=2'],
    ['LOG_STREAM_SHARDS', 'hot=2,hot=3'], ['LOG_STREAM_SHARDS', '2,*=3']
  ]
  for (const [name, value] of wrong) {
    const lines = await refused({ ...REQUIRED, [name]: value })
    t.equal(lines.length, 1, `${name}=${value}`)
    t.match(lines[0], new RegExp(`^${name} is wrong: it must be `))
    t.notOk(lines[0].includes(`"${value}"`))
  }
})

t.test('REDIS_URL is read as the client of Redis reads it, and what that would take for something else is refused', async t => {
  const good = [
    'redis://h', 'redis://h/', 'redis://h:6379/15', 'rediss://user:password@h.example:6380/0', 'redis://:p%2Fw%23d@h',
    'redis://my_redis:6379', 'redis://[::1]:6379/2', 'redis://:p@ss:word!@h', 'redis://h?family=6',
    'redis://u:p@h1:6379,h2:6379', 'rediss+sentinel://:p@h1,h2:26379/main'
  ]
  for (const REDIS_URL of good) t.same(await refused({ ...REQUIRED, REDIS_URL }), [], REDIS_URL)
  const bad = [
    'redis://:p/w#d@h', 'redis://:p#w@h', 'redis://u:12/w@h', 'redis://u:p?w@h', 'redis://:100%@h', 'redis://:%ff@h',
    'redis://h/telemetry', 'redis://h/1/2', 'redis://h/1e3', 'redis://h/-1', 'redis://h:99999', 'redis://h:port',
    'redis:///1', 'redis://', 'redis://a b', 'redis://h?db=99', 'redis://h#1', 'unix:///redis.sock', '/redis.sock',
    'redis://u:p@h1,u:p@h2', 'redis://h1,redis://h2', 'redis+sentinel://h'
  ]
  for (const REDIS_URL of bad) {
    const lines = await refused({ ...REQUIRED, REDIS_URL })
    t.equal(lines.length, 1, REDIS_URL)
    t.match(lines[0], /^REDIS_URL is wrong: it must be redis:/)
  }
  t.match(await refused({ ...REQUIRED, REDIS_URL: 'redis://h1,h2/1' }), [
    /^REDIS_URL is wrong: it must be without a database/
  ])
})

t.test('every Region of AWS is taken', async t => {
  for (const AWS_REGION of [
    'us-east-1', 'ap-southeast-5', 'us-gov-west-1', 'cn-northwest-1', 'us-isob-east-1', 'eu-isoe-west-1',
    'eusc-de-east-1', 'mx-central-1'
  ]) {
    t.same(await refused({ ...REQUIRED, AWS_REGION }), [], AWS_REGION)
  }
})

t.test('the keys that come in headers are of enough characters, which a header can hold', async t => {
  for (const METERING_ACCESS_KEY of ['fifteen-letters', 'it has blanks in it', 'long-enough-but-ü']) {
    t.match(await refused({ ...REQUIRED, METERING_ACCESS_KEY, REVENIUM_PLATFORM_API_KEY: 'platform' }), [
      /^METERING_ACCESS_KEY is wrong/
    ])
  }
})

t.test('secrets that are equal are refused by their names', async t => {
  const secret = 'hidden-secret-value'
  const equals: Array<[Record<string, string>, string]> = [
    [
      { CLIENT_SECRET_KEY: secret, ACCESS_TOKEN_SECRET_KEY: ` ${secret} ` },
      'ACCESS_TOKEN_SECRET_KEY is wrong: it must not equal CLIENT_SECRET_KEY'
    ],
    [
      { CLIENT_SECRET_KEY: secret, ACCESS_TOKEN_PREVIOUS_SECRET_KEYS: `an-older-secret-key,${secret}` },
      'ACCESS_TOKEN_PREVIOUS_SECRET_KEYS is wrong: none of them may equal CLIENT_SECRET_KEY'
    ],
    [
      { ACCESS_TOKEN_SECRET_KEY: secret, ADMIN_TOKEN: secret },
      'ADMIN_TOKEN is wrong: it must not equal ACCESS_TOKEN_SECRET_KEY'
    ],
    [
      { ADMIN_TOKEN: secret, METERING_ACCESS_KEY: secret, REVENIUM_PLATFORM_API_KEY: 'platform' },
      'METERING_ACCESS_KEY is wrong: it must not equal ADMIN_TOKEN'
    ]
  ]
  for (const [variables, line] of equals) {
    t.same(await refused({ ...REQUIRED, ...variables }), [line])
  }
  t.same(
    await refused({ ...REQUIRED, ACCESS_TOKEN_PREVIOUS_SECRET_KEYS: REQUIRED.ACCESS_TOKEN_SECRET_KEY }),
    [],
    'the key in force may stand among those of before'
  )
})

t.test('every variable at fault is named, each once', async t => {
  const lines = await refused({
    PORT: 'secret-value',
    FORWARDER: 'secret-value',
    TRUST_PROXY: 'secret-value',
    METERING: 'on'
  })
  const names = lines.map(line => line.split(':')[0])
  t.same(names, [
    'PORT is wrong', 'CLIENT_SECRET_KEY is missing', 'ACCESS_TOKEN_SECRET_KEY is missing', 'AWS_REGION is missing',
    'TRUST_PROXY is wrong', 'REVENIUM_PLATFORM_API_KEY is missing', 'FORWARDER is wrong'
  ])
  t.notMatch(lines.join(), /secret-value/)
})

t.test('what one variable asks of another is asked of both', async t => {
  const { CLIENT_SECRET_KEY, ...others } = REQUIRED
  t.match(await refused(others), [/^CLIENT_SECRET_KEY is missing/])
  t.same(await refused({ ...others, APPS_FILE: 'apps.json' }), [])
  const needing: Array<Record<string, string>> = [
    { METERING: 'on' },
    { ENTITLEMENT: 'on' },
    { AUTHORIZE_ROUTE: 'on' },
    { METERING_ACCESS_KEY: 'a-key-of-enough-characters' }
  ]
  for (const needs of needing) {
    t.match(await refused({ ...REQUIRED, ...needs }), [/^REVENIUM_PLATFORM_API_KEY is missing/], JSON.stringify(needs))
    t.same(await refused({ ...REQUIRED, ...needs, REVENIUM_PLATFORM_API_KEY: 'platform' }), [])
  }
})

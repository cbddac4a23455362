import { Type, type Static } from '@sinclair/typebox'
import { RETENTION_DAYS } from './aws-limits.js'
import {
  ALLOWED_ORIGIN, EMF_TREATMENTS, MAX_LOG_STREAM_SHARDS, MIN_SECRET_LENGTH, REDACTION_PATTERNS, UNKNOWN_DIMENSIONS,
  type RedactionPattern
} from './applications.js'
import { DAY_MS, integerEnum, stringEnum } from './common.js'
import {
  DEFAULT_FAIL_MODE, DEFAULT_METERING_PROFILE, DEFAULT_VERDICT_AGES, FAIL_MODES, METERING_PROFILES
} from './metering-settings.js'

const MIB = 1_048_576
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
const SWITCH = ['on', 'off'] as const
const BOOLEAN = ['true', 'false'] as const

/** The options of the app. */
export interface ConfigOptions {
  /** Read instead of the environment of the process. */
  environment?: Record<string, string | undefined>
  /** Whether there are the pages of the documentation, and its file for generators. Absent: true. */
  documentation?: boolean
  /** Has so many other processes take the requests; each runs this script of fastify-cli with these arguments. */
  webProcesses?: { count: number, command: string, args: readonly string[] }
}

/** The value of WEB_CONCURRENCY that stands for one process for each core. */
export const AUTO_CONCURRENCY = 'auto'
/** More processes than cores only cost memory. */
const MAX_CONCURRENCY = 64
/** 1 to MAX_CONCURRENCY, or AUTO_CONCURRENCY. */
const CONCURRENCY = `^(${AUTO_CONCURRENCY}|[1-9]|[1-5]\\d|6[0-4])$`

/** With a largest value, as "Infinity" would else be an integer. */
function integer (options: { default: number, minimum: number, maximum?: number, description: string }) {
  return Type.Integer({ maximum: Number.MAX_SAFE_INTEGER, ...options })
}

/** Text between commas; one entry at least, so that a lone comma is not taken for "no limit". */
function list<T extends string = string> (options: { default?: string, pattern?: string, description: string }) {
  return Type.Unsafe<T[]>({ type: 'string', separator: ',', pattern: '[^\\s,]', ...options })
}

/** A list whose entries are all of this form. */
function patternOfList (entry: string): string {
  return `^(${entry})(,(${entry}))*$`
}

/** As the partitions of AWS name their Regions: letters, then a number, and no availability zone. */
const REGION = '^[a-z]{2,5}(-[a-z]+)+-\\d{1,2}$'
/** A number, or a glob with one; a log group or log stream may hold "=". */
const LOG_STREAM_SHARDS = '([^,]*[^,\\s][^,]*=)?([1-9]\\d?|100)'
const PREVIOUS_SECRET = `[^,]{${MIN_SECRET_LENGTH},}`

/** A secret that the operator makes up. A description says how many characters it has at least. */
function secret (options: { maxLength?: number, pattern?: string, description: string }) {
  return Type.String({ minLength: MIN_SECRET_LENGTH, ...options })
}

/** A secret that comes in a header, which holds no other characters. */
function headerSecret (options: { description: string }) {
  return secret({ maxLength: 4_096, pattern: '^[\\x21-\\x7e]+$', ...options })
}

const HTTP_URL = /^https?:\/\/[^?#@\s]+$/
const WEB_ORIGIN = /^https?:\/\/[^/\s,]+$/

/**
 * The checks of the formats that ConfigSchema names; the plugin `config` hands them to the validator, and that of
 * redis-url.
 */
export const CONFIG_FORMATS = {
  'http-url': text => HTTP_URL.test(text) && URL.canParse(text),
  /** As a browser writes it in the header Origin. */
  'web-origin': text => WEB_ORIGIN.test(text) && URL.canParse(text) && new URL(text).origin === text
} satisfies Record<string, (text: string) => boolean>

/**
 * A description completes the sentence «NAME must be …»; the start-up error and the table of docs/configuration.md are
 * made of it.
 */
export const ConfigSchema = Type.Object({
  NODE_ENV: Type.String({
    default: 'development',
    description: '"production" to limit GET /test to one call a minute and IP, or any other word'
  }),
  PORT: integer({ default: 8080, minimum: 0, maximum: 65_535, description: 'a TCP port' }),
  WORKER_PORT: integer({
    default: 8081,
    minimum: 0,
    maximum: 65_535,
    description: 'the TCP port on which `npm run worker` answers health checks'
  }),
  WEB_CONCURRENCY: Type.Optional(Type.String({
    pattern: CONCURRENCY,
    description: `the number of processes with which npm start takes requests, 1 to ${MAX_CONCURRENCY}, or ` +
      `${AUTO_CONCURRENCY} for one on each core; absent: one process does everything`
  })),
  HOST: Type.String({ default: '0.0.0.0', minLength: 1, description: 'the address to listen on' }),
  LOG_LEVEL: stringEnum(LOG_LEVELS, { default: 'info', description: `one of ${LOG_LEVELS.join(', ')}` }),

  APPS_FILE: Type.Optional(Type.String({
    minLength: 1,
    description: 'the JSON file of the applications; absent: there is one application, "default", described by ' +
      'variables'
  })),
  CLIENT_SECRET_KEY: Type.Optional(secret({
    maxLength: 512,
    description: `the secret that client tokens are made with, ${MIN_SECRET_LENGTH} characters or more; required ` +
      'unless APPS_FILE is set'
  })),
  ALLOWED_NAMESPACES: list({
    default: '*', description: 'a comma-separated list of globs (* and ?) of namespaces; not used with APPS_FILE'
  }),
  ALLOWED_LOG_GROUPS: list({
    default: '*', description: 'a comma-separated list of globs of log groups; not used with APPS_FILE'
  }),
  MAX_SERIES_PER_METRIC: integer({
    default: 1_000,
    minimum: 0,
    description: 'the number of distinct dimension sets a day that a metric of one application may have before ' +
      'further ones are folded into __other__, 0 for no limit; an application of APPS_FILE may have its own limit'
  }),
  MAX_METRICS_PER_NAMESPACE: integer({
    default: 1_000,
    minimum: 0,
    description: 'the number of metric names a day that one application may use in a namespace before further ones ' +
      'are folded into __other__, 0 for no limit'
  }),
  MAX_NEW_LOG_STREAMS: integer({
    default: 10_000,
    minimum: 0,
    description: 'the number of log groups and log streams a day that are made for one application before requests ' +
      'for log streams that it has not written to are answered 429, 0 for no limit; an application of APPS_FILE may ' +
      'have its own limit'
  }),
  LOG_STREAM_SHARDS: list({
    default: '1',
    pattern: patternOfList(LOG_STREAM_SHARDS),
    description: `the number of log streams, 1 to ${MAX_LOG_STREAM_SHARDS}, that the log events for each log stream ` +
      '{name} are spread over, named {name}-0, {name}-1 and so on, 1 for {name} itself; or a comma-separated list of ' +
      'glob=number, each glob once, of log streams or of logGroup:logStream, of which the narrowest counts, for ' +
      'example checkout=8,/web/*:errors=2; an application of APPS_FILE may have its own'
  }),
  REQUIRED_DIMENSIONS: Type.Optional(list({
    description: 'a comma-separated list of dimensions that every data point must have; not used with APPS_FILE'
  })),
  ALLOWED_DIMENSIONS: Type.Optional(list({
    description: 'a comma-separated list of the dimensions that a data point may have; absent: any; not used with ' +
      'APPS_FILE'
  })),
  UNKNOWN_DIMENSIONS: stringEnum(UNKNOWN_DIMENSIONS, {
    default: 'drop',
    description: 'keep, drop, fold (the value becomes __other__) or refuse (the data point), for a dimension that is ' +
      'not allowed; not used with APPS_FILE'
  }),
  REDACT_FIELDS: Type.Optional(list({
    description: 'a comma-separated list of fields whose values are redacted, for example password,authorization; ' +
      'not used with APPS_FILE'
  })),
  REDACT_PATTERNS: Type.Optional(
    list<RedactionPattern>({
      pattern: patternOfList(REDACTION_PATTERNS.join('|')),
      description: 'a comma-separated list of the patterns that are redacted wherever they stand: ' +
        `${REDACTION_PATTERNS.join(', ')}; not used with APPS_FILE`
    })
  ),
  REDACT_URL_QUERIES: stringEnum(SWITCH, {
    default: 'off', description: 'on (URLs lose their query strings and fragments) or off; not used with APPS_FILE'
  }),
  ADD_IP: stringEnum(SWITCH, {
    default: 'off', description: 'on (items get the truncated IP of their client) or off; not used with APPS_FILE'
  }),
  ADD_USER_AGENT: stringEnum(SWITCH, {
    default: 'off',
    description: 'on (items get the browser of their client and its major version) or off; not used with APPS_FILE'
  }),
  EMF: stringEnum(EMF_TREATMENTS, {
    default: 'refuse',
    description: 'refuse, neutralize (CloudWatch finds no metrics in it) or allow (its metrics are held to the rules ' +
      'of data points), for a log event that is an embedded metric; not used with APPS_FILE'
  }),
  ACCESS_TOKEN_SECRET_KEY: secret({
    description: `the secret that access tokens are signed with, ${MIN_SECRET_LENGTH} characters or more`
  }),
  ACCESS_TOKEN_PREVIOUS_SECRET_KEYS: Type.Optional(list({
    pattern: patternOfList(PREVIOUS_SECRET),
    description: 'a comma-separated list of secrets whose access tokens are still taken, each of ' +
      `${MIN_SECRET_LENGTH} characters or more`
  })),
  ACCESS_TOKEN_TTL_SECONDS: integer({
    default: 3_600,
    minimum: 1,
    maximum: 86_400,
    description: 'the lifetime of an access token, 1 to 86400 seconds'
  }),

  AWS_REGION: Type.String({ pattern: REGION, description: 'the Region of CloudWatch, for example eu-west-1' }),
  AWS_REQUEST_TIMEOUT_MS: integer({
    default: 15_000, minimum: 100, description: 'milliseconds after which a call to AWS is given up and repeated'
  }),
  LOG_RETENTION_DAYS: Type.Optional(integerEnum(RETENTION_DAYS, {
    description: `the retention of log groups that the gateway creates: ${RETENTION_DAYS.join(', ')} days`
  })),

  CORS_ALLOWED_ORIGIN: list({
    default: '*',
    pattern: patternOfList(ALLOWED_ORIGIN),
    description: '* or a comma-separated list of origins as browsers write them, for example https://shop.example; ' +
      'not used with APPS_FILE'
  }),
  PUBLIC_ORIGIN: Type.Optional(Type.String({
    format: 'web-origin',
    description: 'the origin at which browsers find the pages of the gateway itself, that of /documentation, for ' +
      'example https://telemetry.example; absent: no page counts as the gateway\'s own'
  })),
  TRUST_PROXY: Type.Optional(Type.String({
    minLength: 1,
    description: 'the number of proxies before the gateway, or a comma-separated list of their addresses and CIDR ' +
      'ranges, whose X-Forwarded-For is believed; absent: no proxy is'
  })),
  ROUTE_PREFIX: Type.Optional(Type.String({
    pattern: '^(/[\\w.~-]+)+$',
    description: 'the path under which /token, /metric, /metrics, /logEvents and /test stand, for example /t; ' +
      'absent: none'
  })),
  TEST_ROUTE: stringEnum(SWITCH, { default: 'on', description: 'on or off (GET /test does not exist)' }),
  BODY_LIMIT_BYTES: integer({
    default: 2 * MIB,
    minimum: 1_024,
    maximum: 64 * MIB,
    description: 'the largest request body in bytes, as sent and as inflated'
  }),
  HEADERS_TIMEOUT_MS: integer({
    default: 10_000, minimum: 1, description: 'milliseconds in which the headers of a request must have come'
  }),
  REQUEST_TIMEOUT_MS: integer({
    default: 30_000, minimum: 1, description: 'milliseconds in which a request must have come whole'
  }),
  KEEP_ALIVE_TIMEOUT_MS: integer({
    default: 72_000,
    minimum: 1,
    description: 'milliseconds that an idle connection is kept for the next request, more than the load balancer in ' +
      'front keeps it'
  }),
  CONNECTION_TIMEOUT_MS: integer({
    default: 60_000,
    minimum: 0,
    description: 'milliseconds without a byte after which a connection with a request under way is closed, more than ' +
      'the 30 s of "Prefer: wait", 0 for no limit'
  }),
  MAX_EVENT_LOOP_DELAY_MS: integer({
    default: 2_000,
    minimum: 0,
    description: 'the event-loop delay in milliseconds above which requests are answered 503, 0 for no limit'
  }),
  RATE_LIMIT_PER_MINUTE: integer({
    default: 6_000, minimum: 0, description: 'requests per minute and IP, 0 for no limit'
  }),
  FAILURES_PER_MINUTE: integer({
    default: 300,
    minimum: 0,
    description: 'requests per minute and IP with wrong or missing tokens, wrong keys or unknown paths, after which ' +
      'every further one but those with a valid access token is answered 429, 0 for no limit'
  }),

  REDIS_URL: Type.Optional(Type.String({
    format: 'redis-url',
    description: 'redis://[user:password@]host[:port][/database], or redis://[user:password@]host[:port],host[:port] ' +
      'for nodes of a Cluster, without a database, or ' +
      'redis+sentinel://[user:password@]host[:port],host[:port]/master for Sentinels; rediss in place of redis for ' +
      'TLS; the database is a number, and / ? # % in user or password are written %2F %3F %23 %25'
  })),
  REDIS_SENTINEL_PASSWORD: Type.Optional(Type.String({
    minLength: 1,
    description: 'the password of the Sentinels themselves, that of Redis being in REDIS_URL; absent: they ask for none'
  })),
  REDIS_PREFIX: Type.String({
    default: 'cloudwatch-postman',
    pattern: '^[\\w.:-]{1,64}$',
    description: 'the beginning of every key in Redis, a different one for each of the gateways that share it: ' +
      'letters, digits and . : _ -'
  }),
  REDIS_SHARDS: integer({
    default: 4,
    minimum: 1,
    maximum: 256,
    description: 'the number of shards of the spool in Redis, 1 to 256; the same for every process'
  }),
  DATA_DIR: Type.String({ default: './data', minLength: 1, description: 'the folder of the embedded spool' }),
  SPOOL_MAX_BYTES: integer({
    default: 1_024 * MIB,
    minimum: MIB,
    description: 'the bytes of waiting items above which new items are answered 503; each of several applications ' +
      'has a share of them'
  }),
  SPOOL_SYNC: stringEnum(['commit', 'always'], {
    default: 'commit', description: 'commit (an answered item survives the process) or always (it survives the machine)'
  }),
  LEASE_MS: integer({
    default: 60_000,
    minimum: 1_000,
    description: 'milliseconds after which the records of a dead forwarder are taken over'
  }),
  DEAD_LETTER_MAX_AGE_MS: integer({
    default: 14 * DAY_MS, minimum: 1_000, description: 'milliseconds after which a dead letter is evicted'
  }),
  DEAD_LETTER_MAX_BYTES: integer({
    default: 64 * MIB, minimum: 1_024, description: 'the bytes of dead letters above which the oldest are evicted'
  }),

  REVENIUM_PLATFORM_API_KEY: Type.Optional(Type.String({
    minLength: 1, description: 'the key of the metering platform; absent: nothing is metered, and no platform is asked'
  })),
  REVENIUM_PLATFORM_API: Type.Optional(Type.String({
    format: 'http-url',
    description: 'the base URL of the metering platform, without query; absent: that of METERING_PROFILE'
  })),
  REVENIUM_ENTITLEMENT_API: Type.Optional(Type.String({
    format: 'http-url',
    description: 'the base URL of /product-key; absent: with METERING_PROFILE=v1-meter REVENIUM_PLATFORM_API, else ' +
      'the platform\'s own'
  })),
  METERING_PROFILE: stringEnum(METERING_PROFILES, {
    default: DEFAULT_METERING_PROFILE, description: `the API of the metering platform: ${METERING_PROFILES.join(', ')}`
  }),
  METERING_CONCURRENCY: integer({
    default: 16,
    minimum: 1,
    maximum: 256,
    description: 'calls to the metering platform that each batch has under way at once'
  }),
  PLATFORM_TIMEOUT_MS: integer({
    default: 5_000,
    minimum: 100,
    maximum: 60_000,
    description: 'milliseconds for one answer of the metering platform'
  }),
  METERING: stringEnum(SWITCH, {
    default: 'off',
    description: 'on (each call of /token, /metric, /metrics and /logEvents is metered for its application) or off'
  }),
  METERING_ACCESS_KEY: Type.Optional(headerSecret({
    description: `the key that POST /metering/access-logs and POST /metering/firehose ask for, ${MIN_SECRET_LENGTH} ` +
      'characters or more of ASCII without spaces; absent: they do not exist'
  })),
  METER_TURNED_AWAY: stringEnum(BOOLEAN, {
    default: 'false', description: 'true (calls that the gateway in front has refused are metered, too) or false'
  }),
  METER_ANONYMOUS: stringEnum(BOOLEAN, {
    default: 'false', description: 'true (calls without a client id are metered, too) or false'
  }),
  METER_EXCLUDE_METHODS: Type.Optional(list({
    description: 'a comma-separated list of methods that are not metered, for example OPTIONS'
  })),
  METER_EXCLUDE_PATHS: Type.Optional(list({
    description: 'a comma-separated list of beginnings of paths that are not metered, for example /prod/health'
  })),
  METER_EXCLUDE_STATUSES: Type.Optional(list({
    pattern: patternOfList('[1-5](\\d\\d|xx)'),
    description: 'a comma-separated list of statuses that are not metered, for example 404,5xx'
  })),
  ENTITLEMENT: stringEnum(SWITCH, {
    default: 'off', description: 'on (POST /token refuses applications that the metering platform denies) or off'
  }),
  AUTHORIZE_ROUTE: stringEnum(SWITCH, {
    default: 'off', description: 'on (GET /authorize exists, and whoever reaches it can ask about any client) or off'
  }),
  CLIENT_ID_HEADER: Type.String({
    default: 'clientId',
    pattern: "^[\\w!#$%&'*+.^`|~-]+$",
    description: 'the header in which GET /authorize finds the client id'
  }),
  FAIL_MODE: stringEnum(FAIL_MODES, {
    default: DEFAULT_FAIL_MODE,
    description: 'closed (a client whose entitlement nobody knows is refused) or open (let through)'
  }),
  VERDICT_TTL_SECONDS: integer({
    default: DEFAULT_VERDICT_AGES.entitledMs / 1_000,
    minimum: 0,
    maximum: 86_400,
    description: 'seconds for which an entitlement is new'
  }),
  STALE_SECONDS: integer({
    default: DEFAULT_VERDICT_AGES.staleMs / 1_000,
    minimum: 0,
    maximum: 86_400,
    description: 'seconds more for which an entitlement is answered while it is renewed'
  }),
  DENIED_TTL_SECONDS: integer({
    default: DEFAULT_VERDICT_AGES.deniedMs / 1_000,
    minimum: 0,
    maximum: 86_400,
    description: 'seconds for which a denial is new'
  }),
  STALE_IF_ERROR_SECONDS: integer({
    default: DEFAULT_VERDICT_AGES.staleIfErrorMs / 1_000,
    minimum: 1,
    maximum: 86_400,
    description: 'seconds for which a verdict stands in for a platform that does not answer'
  }),

  FORWARDER: stringEnum(['on', 'off', 'only'], {
    default: 'on', description: 'on (web and forwarders), off (web alone) or only (forwarders alone)'
  }),
  FORWARDER_CONCURRENCY: integer({
    default: 2,
    minimum: 1,
    maximum: 64,
    description: 'batches that each forwarder has under way at once'
  }),
  FLUSH_INTERVAL_MS: integer({
    default: 1_000,
    minimum: 1,
    maximum: 60_000,
    description: 'milliseconds that items wait for others of their destination before they are sent'
  }),
  LOG_EVENT_BUFFER: stringEnum(['text', 'decoded'], {
    default: 'text',
    description: 'text (the stored bytes of log events are copied into the body of PutLogEvents) or decoded (every ' +
      'record is decoded, and the SDK writes the body: for finding out where a fault lies)'
  }),
  SHUTDOWN_GRACE_MS: integer({
    default: 10_000, minimum: 0, description: 'milliseconds in which the forwarders may still deliver after SIGTERM'
  }),

  SELF_METRICS: stringEnum(SWITCH, {
    default: 'off',
    description: 'on (each process that forwards publishes the state of the spool to CloudWatch once a minute, for ' +
      'alarms) or off'
  }),
  SELF_METRICS_GATEWAY: Type.String({
    default: 'cloudwatch-postman',
    pattern: '^[\\w.:-]{1,128}$',
    description: 'the value of the dimension Gateway of these metrics, a different one for each gateway of the ' +
      'account and Region: letters, digits and . : _ -'
  }),
  ADMIN_TOKEN: Type.Optional(headerSecret({
    description: `the bearer token of GET /metrics and /admin, ${MIN_SECRET_LENGTH} characters or more of ASCII ` +
      'without spaces; absent: they do not exist'
  }))
}, { $id: 'Config', additionalProperties: false })
export type Config = Static<typeof ConfigSchema>

/** The variables that hold secrets, each others: who knows one must not so know another. */
export const SECRET_VARIABLES = [
  'CLIENT_SECRET_KEY', 'ACCESS_TOKEN_SECRET_KEY', 'ADMIN_TOKEN', 'METERING_ACCESS_KEY', 'REVENIUM_PLATFORM_API_KEY',
  'ACCESS_TOKEN_PREVIOUS_SECRET_KEYS'
] as const satisfies Array<keyof Config>
export type SecretVariable = typeof SECRET_VARIABLES[number]

import { Type, type Static } from '@sinclair/typebox'
import { LOG_GROUP_NAME, LOG_STREAM_NAME, PUT_METRIC_DATA, RETENTION_DAYS } from './aws-limits.js'

/** The fewest characters of a secret: guesses and words are shorter. */
export const MIN_SECRET_LENGTH = 16
/** An entry of allowed origins: `*` for every origin, `null` for pages whose browser hides it, or an origin. */
export const ALLOWED_ORIGIN = '(\\*|null|[a-z][a-z0-9+.-]*://[^/\\s,A-Z]+)'

/** Client secrets of one application: a client token of the older form is tried against each. */
const MAX_SECRETS = 8
const MAX_GLOBS = 100
const MAX_APPLICATIONS = 1_000
/** Log streams that one may be split over. */
export const MAX_LOG_STREAM_SHARDS = 100

/** The lists of globs, of an application and of a token, that say where items may go. */
export const DESTINATION_LISTS = ['namespaces', 'logGroups', 'logStreams'] as const
export type DestinationList = typeof DESTINATION_LISTS[number]
/** The treatment of a dimension that `allowed` does not name. */
export const UNKNOWN_DIMENSIONS = ['keep', 'drop', 'fold', 'refuse'] as const
/** The treatment of a log event from which CloudWatch would extract metrics (the Embedded Metric Format). */
export const EMF_TREATMENTS = ['refuse', 'neutralize', 'allow'] as const
export type EmfTreatment = typeof EMF_TREATMENTS[number]
/** The patterns that redaction finds by itself. */
export const REDACTION_PATTERNS = ['email', 'bearer-token', 'card-number'] as const
export type RedactionPattern = typeof REDACTION_PATTERNS[number]

/** Unions of constants, as the validator of this file knows no other closed list. */
function oneOf<const T extends ReadonlyArray<string | number>> (values: T, options: object = {}) {
  return Type.Unsafe<T[number]>(Type.Union(values.map(value => Type.Literal(value)), options))
}

function globs (maxLength: number, options: object = {}) {
  return Type.Array(Type.String({ minLength: 1, maxLength }), { maxItems: MAX_GLOBS, ...options })
}

/** An optional number of at least 1. */
function atLeastOne (description: string) {
  return Type.Optional(Type.Integer({ minimum: 1, description }))
}

/** By a glob of a log stream, or of `logGroup:logStream`: over how many log streams each of them is split. */
const LogStreamShardsSchema = Type.Record(
  Type.String(), Type.Integer({ minimum: 1, maximum: MAX_LOG_STREAM_SHARDS }), { maxProperties: MAX_GLOBS }
)
export type LogStreamShards = Static<typeof LogStreamShardsSchema>

const dimensionNames = Type.Array(
  Type.String({ minLength: 1, maxLength: PUT_METRIC_DATA.MAX_DIMENSION_NAME_LENGTH }),
  { maxItems: PUT_METRIC_DATA.MAX_DIMENSIONS }
)

const DailyBudgetsSchema = Type.Object({
  items: atLeastOne('Items a day, refused ones too.'),
  bytes: atLeastOne('Bytes a day, as AWS counts them.'),
  dollars: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'Estimated US dollars a day.' }))
}, { additionalProperties: false, default: {} })
/** A measure of usage that a budget may limit. */
export type BudgetName = keyof Static<typeof DailyBudgetsSchema>
export const BUDGETS = Object.keys(DailyBudgetsSchema.properties) as BudgetName[]

/** One application, with every default filled in. */
const ApplicationSchema = Type.Object({
  id: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', description: 'What tokens name it by.' }),
  clientSecrets: Type.Array(Type.String({ minLength: MIN_SECRET_LENGTH, maxLength: 512 }), {
    minItems: 1,
    maxItems: MAX_SECRETS,
    description: 'Each makes valid client tokens, so that one can replace another without a gap.'
  }),
  allowedOrigins: Type.Array(Type.String({ pattern: `^${ALLOWED_ORIGIN}$` }), {
    maxItems: 1_000, description: '"*", or origins as a browser writes them.'
  }),
  namespaces: globs(PUT_METRIC_DATA.MAX_NAMESPACE_LENGTH, {
    default: [], description: 'Globs (* and ?) of namespaces.'
  }),
  logGroups: globs(LOG_GROUP_NAME.MAX_LENGTH, { default: [], description: 'Globs of log groups.' }),
  logStreams: globs(LOG_STREAM_NAME.MAX_LENGTH, { default: ['*'], description: 'Globs of log streams.' }),

  dimensions: Type.Object({
    required: Type.Optional(dimensionNames),
    /** Absent: every dimension is allowed. */
    allowed: Type.Optional(dimensionNames),
    unknown: Type.Optional(oneOf(UNKNOWN_DIMENSIONS))
  }, { additionalProperties: false, default: {} }),
  maxSeriesPerMetric: atLeastOne('Distinct dimension sets of one metric.'),
  maxNewLogStreams: atLeastOne('Log groups and log streams a day that are made for it.'),
  logStreamShards: Type.Optional(LogStreamShardsSchema),

  rateLimits: Type.Object({
    perMinute: atLeastOne('Requests of all its tokens together.'),
    perTokenPerMinute: atLeastOne('Requests of all access tokens of one client token, and trades of that.')
  }, { additionalProperties: false, default: {} }),
  budgets: Type.Object({
    soft: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.8,
      description: 'Share of a daily budget from which on answers warn.'
    }),
    daily: DailyBudgetsSchema
  }, { additionalProperties: false, default: {} }),

  retentionDays: Type.Optional(oneOf(RETENTION_DAYS, { description: 'Of log groups that are created for it.' })),
  redaction: Type.Object({
    fields: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 100 })),
    patterns: Type.Optional(Type.Array(oneOf(REDACTION_PATTERNS), { maxItems: REDACTION_PATTERNS.length })),
    /** Query strings of URLs. */
    urlQueries: Type.Optional(Type.Boolean())
  }, { additionalProperties: false, default: {} }),
  /** The facts about the client that are added to its items; the IP is truncated. */
  context: Type.Object({
    ip: Type.Optional(Type.Boolean()),
    userAgent: Type.Optional(Type.Boolean())
  }, { additionalProperties: false, default: {} }),
  emf: oneOf(EMF_TREATMENTS, {
    default: 'refuse',
    description: 'Of log events that are embedded metrics: refused, stored without their metrics, or held to the ' +
      'rules of data points.'
  }),
  singleUseClientTokens: Type.Boolean({ default: false, description: 'A client token is traded once.' })
}, { additionalProperties: false })
export type Application = Static<typeof ApplicationSchema>

/** The file that APPS_FILE names. */
export const ApplicationsFileSchema = Type.Object({
  applications: Type.Array(ApplicationSchema, { minItems: 1, maxItems: MAX_APPLICATIONS })
}, { additionalProperties: false })
export type ApplicationsFile = Static<typeof ApplicationsFileSchema>

import { Type, type Static } from '@sinclair/typebox'
import { LOG_GROUP_NAME, LOG_STREAM_NAME } from './aws-limits.js'
import { LogLinesSchema, type LogLines } from './log-lines.js'
import { AccessTokenParameter, MAX_ITEMS, SentAtSchema, ref } from './common.js'

export const LogEventSchema = Type.Object({
  message: Type.String({ minLength: 1, description: 'At most 1,048,550 bytes in UTF-8.' }),
  timestamp: Type.Optional(Type.Union([Type.Number(), Type.String({ pattern: '^\\d+(\\.\\d+)?$' })], {
    description: 'Unix milliseconds, as a number or as a string of digits; a fraction is rounded. Absent: now.'
  }))
}, {
  $id: 'LogEvent',
  additionalProperties: false,
  // Without a timestamp, as in the other examples of requests: CloudWatch takes none that is two weeks old.
  examples: [{ message: 'checkout failed: card declined' }]
})
export type LogEvent = Static<typeof LogEventSchema>

export const LogEventsQuerySchema = Type.Object({
  accessToken: AccessTokenParameter,
  logGroupName: Type.Optional(Type.String({
    description: 'With JSON lines: each line is an event for this log group.'
  })),
  logStreamName: Type.Optional(Type.String({
    description: 'With JSON lines: each line is an event for this log stream.'
  }))
})

const JSON_LINES = {
  schema: Type.String({
    description: 'One JSON document a line, at most 10,000; blank lines do not count. With logGroupName and ' +
      'logStreamName in the query each line is a LogEvent, else each is a LogEventsRequest, of at most 100 log ' +
      'streams together. An index of the answer counts the log events of the whole body; a line that cannot be read ' +
      'counts as one event, rejected.',
    examples: ['{"message":"cart opened"}\n{"message":"card declined"}\n']
  })
}
/** As the OpenAPI document shows them. */
export const JSON_LINES_BODIES = {
  'application/x-ndjson': JSON_LINES,
  'application/jsonl': { schema: Type.String({ description: 'The same as application/x-ndjson.' }) }
}

/** The rules for the whole request; each item of logEvents is judged on its own. */
export const LogEventsEnvelopeSchema = Type.Object({
  accessToken: AccessTokenParameter,
  sentAt: Type.Optional(Type.Unknown()),
  logGroupName: Type.String(),
  logStreamName: Type.String(),
  logEvents: Type.Array(Type.Unknown(), { minItems: 1, maxItems: MAX_ITEMS })
}, { additionalProperties: false })
export type LogEventsEnvelope = Static<typeof LogEventsEnvelopeSchema>

const JSON_BODY = { schema: LogEventsEnvelopeSchema }
const JSON_LINES_BODY = { schema: LogLinesSchema }

/** The body of POST /logEvents, by its content type. */
export const LogEventsBodySchema = Type.Unsafe<LogEventsEnvelope | LogLines>({
  content: {
    'application/json': JSON_BODY,
    'text/plain': JSON_BODY,
    'application/x-ndjson': JSON_LINES_BODY,
    'application/jsonl': JSON_LINES_BODY
  }
})

export const LogEventsRequestSchema = Type.Object({
  accessToken: AccessTokenParameter,
  sentAt: SentAtSchema,
  logGroupName: Type.String({
    minLength: 1,
    maxLength: LOG_GROUP_NAME.MAX_LENGTH,
    pattern: LOG_GROUP_NAME.PATTERN,
    description: `Not starting with "${LOG_GROUP_NAME.RESERVED_PREFIX}".`
  }),
  logStreamName: Type.String({
    minLength: 1,
    maxLength: LOG_STREAM_NAME.MAX_LENGTH,
    pattern: LOG_STREAM_NAME.PATTERN,
    description: 'Without control characters.'
  }),
  logEvents: Type.Array(ref(LogEventSchema), { minItems: 1, maxItems: MAX_ITEMS })
}, {
  $id: 'LogEventsRequest',
  additionalProperties: false,
  examples: [{
    logGroupName: '/web/shop',
    logStreamName: 'browser',
    logEvents: [{ message: 'checkout failed: card declined' }]
  }]
})

import { Type, type Static } from '@sinclair/typebox'
import { LOG_GROUP_NAME, LOG_STREAM_NAME } from '../lib/limits.js'
import { AccessTokenParameter, ref } from './common.js'

export const LogEventSchema = Type.Object({
  message: Type.String({ minLength: 1, description: 'At most 1,048,550 bytes in UTF-8.' }),
  timestamp: Type.Optional(Type.Union([Type.Integer(), Type.String({ pattern: '^\\d+$' })], {
    description: 'Unix milliseconds, as a number or as a string of digits. Absent: now.'
  }))
}, { $id: 'LogEvent', additionalProperties: false, examples: [{ message: 'checkout failed: card declined', timestamp: 1795330800123 }] })
export type LogEvent = Static<typeof LogEventSchema>

/** What the whole request must be; each item of logEvents is judged on its own. */
export const LogEventsEnvelopeSchema = Type.Object({
  accessToken: AccessTokenParameter,
  logGroupName: Type.String(),
  logStreamName: Type.String(),
  logEvents: Type.Array(Type.Unknown(), { minItems: 1 })
}, { additionalProperties: false })
export type LogEventsEnvelope = Static<typeof LogEventsEnvelopeSchema>

export const LogEventsRequestSchema = Type.Object({
  accessToken: AccessTokenParameter,
  logGroupName: Type.String({ minLength: 1, maxLength: LOG_GROUP_NAME.MAX_LENGTH, pattern: LOG_GROUP_NAME.PATTERN, description: `Not starting with "${LOG_GROUP_NAME.RESERVED_PREFIX}".` }),
  logStreamName: Type.String({ minLength: 1, maxLength: LOG_STREAM_NAME.MAX_LENGTH, pattern: LOG_STREAM_NAME.PATTERN }),
  logEvents: Type.Array(ref(LogEventSchema), { minItems: 1 })
}, {
  $id: 'LogEventsRequest',
  additionalProperties: false,
  examples: [{ logGroupName: '/web/shop', logStreamName: 'browser', logEvents: [{ message: 'checkout failed: card declined', timestamp: 1795330800123 }] }]
})

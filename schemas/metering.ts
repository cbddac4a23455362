import { Type, type Static } from '@sinclair/typebox'
import { stringEnum } from './common.js'

/** The event of a CloudWatch Logs subscription. */
export const AccessLogsRequestSchema = Type.Object({
  awslogs: Type.Object({ data: Type.String({ description: 'Base64 of the gzip bytes of the envelope.' }) })
}, {
  $id: 'AccessLogsRequest',
  // The message with which CloudWatch Logs tries whether a destination answers.
  examples: [{
    awslogs: { data: 'H4sIAAAAAAACA6tWyk0tLk5MTw2pLEhVslJy9vcLCfL3ifd1DQ52dHdV0lHKyU93LUvNKylWsoqOrQUATWsQOjAAAAA=' }
  }]
})

/** The same, or the gzip bytes of the envelope; which of them, the content type or the bytes tell. */
export const AccessLogsPayloadSchema = Type.Unsafe<Static<typeof AccessLogsRequestSchema> | Buffer>({ type: 'object' })

const GZIP_BODY = { schema: Type.String({ format: 'binary', description: 'The gzip bytes of the envelope.' }) }
export const GZIP_BODIES = { 'application/gzip': GZIP_BODY, 'application/octet-stream': GZIP_BODY }

export const AccessLogsAnswerSchema = Type.Object({
  accepted: Type.Integer({ description: 'Calls that are stored, and will be metered once.' }),
  duplicates: Type.Integer({ description: 'Lines about a call that another line is about.' }),
  skipped: Type.Integer({ description: 'Calls that are not to be metered.' }),
  unreadable: Type.Integer({ description: 'Lines that become dead letters.' })
}, {
  $id: 'AccessLogsAnswer',
  additionalProperties: false,
  examples: [{ accepted: 117, duplicates: 0, skipped: 3, unreadable: 0 }]
})
export type AccessLogsAnswer = Static<typeof AccessLogsAnswerSchema>

export const FirehoseRequestSchema = Type.Object({
  requestId: Type.Optional(Type.String({ description: 'As in X-Amz-Firehose-Request-Id.' })),
  timestamp: Type.Optional(Type.Integer({ description: 'Unix milliseconds.' })),
  records: Type.Array(Type.Object({
    data: Type.Optional(Type.Unknown({
      description: 'Base64 of lines of an access log, or of a gzip envelope of CloudWatch Logs.'
    }))
  }))
}, {
  $id: 'FirehoseRequest',
  examples: [{
    requestId: 'ed4acda5-034f-9f42-bba1-f29aea6d7d8f',
    records: [{ data: 'eyJzdGF0dXMiOiIyMDAifQ==' }]
  }]
})
export type FirehoseRequest = Static<typeof FirehoseRequestSchema>

export const FirehoseAnswerSchema = Type.Object({
  requestId: Type.String(),
  timestamp: Type.Integer({ description: 'Unix milliseconds.' }),
  errorMessage: Type.Optional(Type.String({ maxLength: 8_192 }))
}, {
  $id: 'FirehoseAnswer',
  additionalProperties: false,
  examples: [{ requestId: 'ed4acda5-034f-9f42-bba1-f29aea6d7d8f', timestamp: 1_795_348_800_000 }]
})
export type FirehoseAnswer = Static<typeof FirehoseAnswerSchema>

export const AuthorizeAnswerSchema = Type.Object({
  entitlement: stringEnum(['entitled', 'unknown'], { description: 'unknown: nobody could say, and FAIL_MODE is open.' })
}, {
  $id: 'AuthorizeAnswer',
  additionalProperties: false,
  examples: [{ entitlement: 'entitled' }]
})

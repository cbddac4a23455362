import { Type, type Static } from '@sinclair/typebox'
import { AccessTokenParameter } from './common.js'

/** Documents of one body of JSON lines; as many as PutLogEvents takes events in a call. */
export const MAX_JSON_LINES = 10_000

/**
 * A body of JSON lines for log events, read: the document of each line, judged by itself. With the names of a log
 * stream, which come from the query, each line is a log event; without, each line is a request of its own.
 */
export const LogLinesSchema = Type.Object({
  accessToken: AccessTokenParameter,
  logGroupName: Type.Optional(Type.String()),
  logStreamName: Type.Optional(Type.String()),
  lines: Type.Array(Type.Unknown(), { minItems: 1, maxItems: MAX_JSON_LINES })
}, { additionalProperties: false })
export type LogLines = Static<typeof LogLinesSchema>

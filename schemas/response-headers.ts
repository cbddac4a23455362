import { Type, type TSchema } from '@sinclair/typebox'
import { stringEnum } from './common.js'
import { VERDICTS } from './metering-settings.js'

/**
 * What answers say in their headers, by name. The headers that have nothing to do with what was asked (of the
 * connection, of the body, of CORS, and those that guard against misuse in browsers) are not documented.
 */
export const RESPONSE_HEADERS = {
  'Retry-After': Type.Integer({ minimum: 0, description: 'Seconds until the client may come back.' }),
  'X-RateLimit-Limit': Type.Integer({
    minimum: 0,
    description: 'Requests in a minute, by the limit that is nearest to its end: that of the IP, the token or the ' +
      'application. Absent without a limit.'
  }),
  'X-RateLimit-Remaining': Type.Integer({ minimum: 0, description: 'Requests that this limit leaves.' }),
  'X-RateLimit-Reset': Type.Integer({ minimum: 0, description: 'Seconds until this limit counts anew.' }),
  'X-Budget-Warning': Type.String({
    description: 'A daily budget of the application that has reached its soft limit, and its part that is used.',
    examples: ['items; used=0.91']
  }),
  'Preference-Applied': Type.String({
    description: '"wait=N" when the answer came after delivery, as "Prefer: wait=N" has asked for.',
    examples: ['wait=5']
  }),
  'Idempotency-Replayed': stringEnum(['true'], {
    description: 'The request with this Idempotency-Key was stored before: this is its answer.'
  }),
  'X-Entitlement': stringEnum([...VERDICTS, 'unknown'], {
    description: 'The verdict of the metering platform; unknown when nobody can say.'
  }),
  'Cache-Control': stringEnum(['no-store'], { description: 'The verdict may change.' }),
  'X-Amz-Firehose-Request-Id': Type.String({ description: 'As in the request.' }),
  'Accept-Encoding': Type.String({
    description: 'The encodings that a body may have, when that of the request is none of them.',
    examples: ['gzip, deflate, br']
  })
} as const satisfies Record<string, TSchema>
export type ResponseHeader = keyof typeof RESPONSE_HEADERS

/** The headers of each answer of a route that has a limit for one IP. */
export const RATE_LIMIT_HEADERS = [
  'X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset'
] as const satisfies ResponseHeader[]

/** To be spread into the schema of an answer: the headers that it may have. */
export function mayHave (...names: ResponseHeader[]): { headers?: Record<string, TSchema> } {
  return names.length === 0 ? {} : { headers: Object.fromEntries(names.map(name => [name, RESPONSE_HEADERS[name]])) }
}

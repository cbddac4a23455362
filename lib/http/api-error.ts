import { API_ERRORS, type ApiErrorName } from '../../schemas/error-table.js'

/** Characters of a message, which may quote a name that the client has chosen. */
const MAX_MESSAGE_LENGTH = 1_024

export interface ApiErrorDetails {
  /** Replaces the table's message by one that names the field and the rule. */
  message?: string
  /** Seconds, for the Retry-After header. */
  retryAfter?: number
  /** More fields of the answer, beside `error`. */
  body?: object
}

/** An error whose answer is in the table. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly statusCode: number
  readonly code: number
  readonly retryAfter: number | undefined
  readonly body: object | undefined

  constructor (name: ApiErrorName, details: ApiErrorDetails = {}) {
    // An answer and no failure: nobody reads its stack, and a flood of refused requests would pay for each.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(details.message?.slice(0, MAX_MESSAGE_LENGTH) ?? API_ERRORS[name].message)
    Error.stackTraceLimit = stackTraceLimit
    this.statusCode = API_ERRORS[name].statusCode
    this.code = API_ERRORS[name].code
    this.retryAfter = details.retryAfter
    this.body = details.body
  }
}

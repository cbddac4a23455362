import { ref } from './common.js'
import { ErrorAnswerSchema } from './error-answer.js'
import { IntakeErrorSchema } from './intake.js'
import { mayHave, type ResponseHeader } from './response-headers.js'

function answer (description: string, ...headers: ResponseHeader[]) {
  return { description, ...ref(ErrorAnswerSchema), ...mayHave(...headers) }
}

const TOO_MANY = {
  429: answer('Too many requests, or a daily budget is spent; Retry-After says when to come back.', 'Retry-After')
}
const INTERNAL = { 500: answer('The gateway failed.') }
const UNSUPPORTED = { 415: answer('The content type or the content encoding is not supported.', 'Accept-Encoding') }

/** The error answers of routes that take a body. */
export const BODY_ERRORS = {
  400: answer('The body cannot be read, or is not what the route takes.'),
  413: answer('The body is too large.'),
  ...UNSUPPORTED,
  ...TOO_MANY,
  ...INTERNAL
}

/** The error answers of the routes that take items. */
export const INTAKE_ERRORS = {
  ...BODY_ERRORS,
  400: {
    description: 'The body cannot be read, is not what the route takes, or holds no item that CloudWatch would take.',
    ...ref(IntakeErrorSchema)
  },
  401: answer('The access token is invalid, expired, revoked, or of a page of another origin.'),
  403: answer(
    'The access token is missing, or does not allow the origin, the namespace, the log group or the log stream.'
  ),
  409: answer(
    'The first request with this Idempotency-Key is still under way; Retry-After says when to come back.', 'Retry-After'
  ),
  422: answer('This Idempotency-Key was used for another request.'),
  503: answer('The items cannot be stored now; Retry-After says when to come back.', 'Retry-After')
}

/** The error answers of the operator routes. */
export const ADMIN_ERRORS = {
  401: answer('The admin token is missing or wrong.'),
  ...TOO_MANY,
  ...INTERNAL,
  503: answer('The store cannot be reached; Retry-After says when to come back.', 'Retry-After')
}

export {
  answer as errorAnswer, INTERNAL as INTERNAL_ERROR, TOO_MANY as TOO_MANY_ERROR, UNSUPPORTED as UNSUPPORTED_ERROR
}

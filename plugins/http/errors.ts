import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../../lib/http/api-error.js'
import type { ApiErrorName } from '../../schemas/error-table.js'
import { ShareFullError, SpoolFullError, SpoolUnavailableError } from '../../lib/spool/spool.js'

const METHODS: HTTPMethods[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
/** Seconds after which a refused client should try again. */
const RETRY_AFTER_FULL = 30
const RETRY_AFTER_UNAVAILABLE = 5
/** Fastify's own errors that a client can cause. */
const BY_FASTIFY_CODE: Record<string, ApiErrorName> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformedBody',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformedBody',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformedBody',
  FST_ERR_CTP_BODY_TOO_LARGE: 'bodyTooLarge',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupportedMediaType',
  FST_ERR_CTP_INVALID_TYPE: 'unsupportedMediaType'
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The answer to whatever was thrown. */
    apiErrorOf: (error: FastifyError | ApiError) => ApiError
  }
}

function fromValidation (error: FastifyError): ApiError {
  const { instancePath, message = 'is invalid', params } = error.validation![0]!
  const field = instancePath.slice(1).replaceAll('/', '.')
  const extra = (params as { additionalProperty?: string }).additionalProperty
  const rule = extra === undefined ? message : `must not have the unknown field "${extra}"`
  return new ApiError(error.validationContext === 'headers' ? 'invalidHeader' : 'invalidRequest', {
    message: `${[error.validationContext, field].filter(part => part !== undefined && part !== '').join('.')} ${rule}.`
  })
}

/** Whether a body that its schema asks for came with a content type and without a byte. */
function isOfEmptyBody (error: FastifyError | ApiError, { bodyText }: FastifyRequest): boolean {
  return bodyText === '' && 'validation' in error && error.validationContext === 'body'
}

function toApiError (error: FastifyError | ApiError): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof ShareFullError) {
    return new ApiError('spoolFull', {
      message: `The items of the application "${error.application}" that wait for CloudWatch fill its share of the ` +
        'gateway: try again later.',
      retryAfter: RETRY_AFTER_FULL
    })
  }
  if (error instanceof SpoolFullError) return new ApiError('spoolFull', { retryAfter: RETRY_AFTER_FULL })
  if (error instanceof SpoolUnavailableError) {
    return new ApiError('spoolUnavailable', { retryAfter: RETRY_AFTER_UNAVAILABLE })
  }
  if (error.validation !== undefined) return fromValidation(error)
  const name = BY_FASTIFY_CODE[error.code]
  if (name !== undefined) return new ApiError(name)
  // An error of @fastify/static about a file that is missing or hidden.
  if (error.statusCode === 403 || error.statusCode === 404) return new ApiError('notFound')
  if (error.statusCode === 429) return new ApiError('tooManyRequests')
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new ApiError('malformedBody', { message: error.message })
  }
  return new ApiError('internal')
}

/** Owns `fastify.apiErrorOf` and the shape of every error: `{ error: { code, message } }`, codes from one table. */
async function errors (fastify: FastifyInstance): Promise<void> {
  function send (error: FastifyError | ApiError, request: FastifyRequest, reply: FastifyReply): void {
    const answer = isOfEmptyBody(error, request) ? new ApiError('malformedBody') : toApiError(error)
    if (answer.code === 190) {
      request.log.error({ err: error, reqId: request.id, route: request.routeOptions.url }, 'request failed')
    }
    if (answer.retryAfter !== undefined) reply.header('Retry-After', answer.retryAfter)
    reply.code(answer.statusCode).send({ error: { code: answer.code, message: answer.message }, ...answer.body })
  }

  fastify.decorate('apiErrorOf', toApiError)
  fastify.setErrorHandler(send)
  fastify.setNotFoundHandler(function onNotFound (request, reply) {
    const path = request.url.split('?')[0]!
    const methods = METHODS.filter(method => fastify.findRoute({ method, url: path }) !== null)
    // No other method helps where a route for files has no file of this name.
    const allowed = methods.includes(request.method === 'HEAD' ? 'GET' : request.method as HTTPMethods) ? [] : methods
    if (allowed.length > 0) reply.header('Allow', allowed.join(', '))
    send(new ApiError(allowed.length > 0 ? 'methodNotAllowed' : 'notFound'), request, reply)
  })
}

export default fp(errors, { name: 'errors', dependencies: ['server-options'] })

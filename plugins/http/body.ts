import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction, RequestPayload } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../../lib/http/api-error.js'
import { ENCODINGS, decompress, readContentEncoding, type InflateLimits } from '../../lib/http/decompress.js'
import {
  isTooDeep, MAX_UNAUTHENTICATED_BYTES, unauthenticatedBodyTooLarge
} from '../../lib/http/unauthenticated-body.js'
import { readJsonLines } from '../../lib/intake/json-lines.js'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Lets the routes of this scope take JSON lines, for which their schema has a content type of its own.
     * @param toBody makes the body of the documents, one a line; a line that cannot be read is UNREADABLE
     */
    acceptJsonLines: (toBody: (documents: unknown[], query: object) => unknown) => void
  }
  interface FastifyRequest {
    /** The JSON of the body; null when it is not one document. */
    bodyText: string | null
    /** Whether the body is read before it is known who sends it. */
    isUnauthenticated: boolean
    /**
     * To be called before the body is read, when nothing else says who sends it: the body is held to tighter limits.
     * @throws ApiError bodyTooLarge when it says that it is too large
     */
    expectUnauthenticatedBody: (reply: FastifyReply) => void
  }
}

/** The lowest body limit of any route. */
const LEAST_BODY_LIMIT = 1_024
/** The content types of JSON: pages send text/plain where a preflight would keep the request from being sent. */
const JSON_TYPES = ['application/json', 'text/plain']
const JSON_LINES = ['application/x-ndjson', 'application/jsonl']

function hasBody ({ headers }: FastifyRequest): boolean {
  const length = headers['content-length']
  return length === undefined ? headers['transfer-encoding'] !== undefined : length !== '0'
}

function isBodyless (method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}

/** Refuses a request before its body is read, when its path or method is unknown or its length is too large. */
function refuseUnread (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
  if (request.is404) {
    request.routeOptions.handler.call(request.server, request, reply)
    return
  }
  const length = Number(request.headers['content-length'])
  if (length > LEAST_BODY_LIMIT && length > request.routeOptions.bodyLimit) {
    // The rest of the body is not read, so nothing can follow it on this connection.
    reply.header('Connection', 'close')
    throw new ApiError('bodyTooLarge')
  }
  done()
}

function expectUnauthenticatedBody (this: FastifyRequest, reply: FastifyReply): void {
  this.isUnauthenticated = true
  if (!(Number(this.headers['content-length']) > MAX_UNAUTHENTICATED_BYTES)) return
  reply.header('Connection', 'close')
  throw unauthenticatedBodyTooLarge()
}

/** Names the type of a beacon whose Blob has none, and inflates a compressed body on its way to the parser. */
function prepareBody (
  request: FastifyRequest,
  reply: FastifyReply,
  payload: RequestPayload,
  done: (error: Error | null, payload?: RequestPayload) => void
): void {
  const { headers } = request
  const encoding = readContentEncoding(headers['content-encoding'])
  const length = headers['content-length']
  // A body that says its length is held to it by Node.
  const isPlain = encoding === null && (length !== undefined || !request.isUnauthenticated)
  if (isPlain && request.isUnauthenticated) request.server.quotas.chargeAddress(request, Number(length))
  if ((isPlain && headers['content-type'] !== undefined) || isBodyless(request.method) || !hasBody(request)) {
    return done(null)
  }
  headers['content-type'] ??= 'application/json'
  if (isPlain) return done(null)
  if (encoding !== null && !ENCODINGS.includes(encoding)) {
    reply.headers({ 'Accept-Encoding': ENCODINGS.join(', '), Connection: 'close' })
  }
  done(null, decompress(payload, encoding, limitsOf(request)))
}

function limitsOf (request: FastifyRequest): InflateLimits {
  const { bodyLimit } = request.routeOptions
  if (!request.isUnauthenticated) return { maxBytes: bodyLimit }
  return {
    maxBytes: Math.min(bodyLimit, MAX_UNAUTHENTICATED_BYTES),
    tooLarge: unauthenticatedBodyTooLarge,
    onInflated: bytes => request.server.quotas.chargeAddress(request, bytes)
  }
}

/** @throws ApiError */
function checkDepth (request: FastifyRequest, text: string, isLines: boolean): void {
  if (request.isUnauthenticated && isTooDeep(text, isLines)) throw unauthenticatedBodyTooLarge()
}

/** A request without a body has no content type; it is held against the schema of a JSON document. */
function nameContentType ({ headers }: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
  headers['content-type'] ??= 'application/json'
  done()
}

/**
 * Owns how bodies are read, with `request.bodyText` and `fastify.acceptJsonLines`: compressed or not, whatever name a
 * browser can give to JSON, one document or one a line.
 */
async function body (fastify: FastifyInstance): Promise<void> {
  const readJson = fastify.getDefaultJsonParser('error', 'error')

  /** @throws Error for a text that is no JSON, or would change a prototype */
  function parse (text: string): unknown {
    let failure: Error | null = null
    let document: unknown
    readJson(null as never, text, (error, value) => {
      failure = error
      document = value
    })
    if (failure !== null) throw failure
    return document
  }

  fastify.addHook('onRequest', refuseUnread)
  fastify.addHook('preParsing', prepareBody)
  fastify.decorateRequest('bodyText', null)
  fastify.decorateRequest('isUnauthenticated', false)
  fastify.decorateRequest('expectUnauthenticatedBody', expectUnauthenticatedBody)
  fastify.removeContentTypeParser('application/json')
  fastify.addContentTypeParser(JSON_TYPES, { parseAs: 'string' }, (request: FastifyRequest, text: string, done) => {
    request.bodyText = text
    checkDepth(request, text, false)
    // No body at all: the answer is that the token is missing, before anything else.
    if (text === '') done(null)
    else readJson(request, text, done)
  })
  fastify.decorate('acceptJsonLines', function acceptJsonLines (this: FastifyInstance, toBody) {
    this.addHook('preValidation', nameContentType)
    this.addContentTypeParser(JSON_LINES, { parseAs: 'string' }, (request: FastifyRequest, text: string, done) => {
      try {
        checkDepth(request, text, true)
        done(null, toBody(readJsonLines(text, parse), request.query as object))
      } catch (error) {
        done(error as Error)
      }
    })
  })
}

export default fp(body, { name: 'body', dependencies: ['errors', 'cors', 'server-limits', 'rate-limit', 'failures'] })

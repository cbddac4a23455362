import { isObject } from '../lib/guards.js'

/** The question to an authorizer, whichever API asks it. */
export interface AuthorizerRequest {
  /** Absent when there is none. */
  clientId: string | undefined
  /** Every method and path of the API's stage. */
  resource: string
  /** Whether the API understands an answer without a policy. */
  takesSimpleAnswer: boolean
}

/** The event is not that of a REST or an HTTP API. */
export class AuthorizerEventError extends Error {
  override name = 'AuthorizerEventError'
}

/**
 * The call has two client ids. API Gateway keeps the answer for the one that it has seen, and nobody can tell which
 * that was: without an answer it keeps none. With this very message it says 401 to the caller, and not 500.
 */
export class AmbiguousClientError extends Error {
  override name = 'AmbiguousClientError'

  constructor () {
    super('Unauthorized')
  }
}

const BEARER = /^Bearer +/i
/** `…:apiId/stage/METHOD/path`; the text after the stage is the caller's own, and may hold wildcards. */
const STAGE_ARN = /^arn:[\w-]+:execute-api:[\w-]*:\d*:[\w-]+\/[\w$*-]+(?=\/)/

/**
 * Reads the event of a TOKEN or REQUEST authorizer of a REST API, or of an HTTP API in either format.
 * @param headerName that carries the client id, in any case
 * @throws AuthorizerEventError | AmbiguousClientError
 */
export function readAuthorizerEvent (event: unknown, headerName: string): AuthorizerRequest {
  if (!isObject(event)) throw new AuthorizerEventError('the event is not an object')
  return {
    clientId: event.type === 'TOKEN' ? tokenOf(event) : headerOf(event, headerName.toLowerCase()),
    resource: stageOf(event.routeArn ?? event.methodArn),
    takesSimpleAnswer: event.version === '2.0'
  }
}

function tokenOf ({ authorizationToken }: Record<string, unknown>): string | undefined {
  return typeof authorizationToken === 'string' ? authorizationToken.replace(BEARER, '') : undefined
}

function headerOf ({ headers, multiValueHeaders }: Record<string, unknown>, name: string): string | undefined {
  const [clientId, ...others] = new Set([...valuesOf(multiValueHeaders, name), ...valuesOf(headers, name)])
  if (others.length > 0) throw new AmbiguousClientError()
  return clientId
}

function valuesOf (headers: unknown, name: string): string[] {
  if (!isObject(headers)) return []
  return Object.entries(headers)
    .filter(([header]) => header.toLowerCase() === name)
    .flatMap(([, value]) => value)
    .filter(value => typeof value === 'string')
}

function stageOf (arn: unknown): string {
  const stage = typeof arn === 'string' ? STAGE_ARN.exec(arn)?.[0] : undefined
  if (stage === undefined) throw new AuthorizerEventError('the event has no ARN of a method or route')
  return `${stage}/*`
}

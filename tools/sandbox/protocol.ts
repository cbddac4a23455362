import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import {
  AwsError, entityTooLarge, queryCode, queryError, serializationError, unknownOperation, wrongTime, type Service
} from './aws-error.js'
import { structureOf, type Input } from './input.js'

/** The most bytes of a body, compressed or not: room for 1 MB of messages in which every character is escaped. */
const MAX_BODY_BYTES = 16 * 1_048_576

const SERVICES: Record<string, Service> = {
  GraniteServiceVersion20100801: 'cloudwatch',
  Logs_20140328: 'logs'
}

const CONTENT_TYPES: Record<Service, string> = {
  cloudwatch: 'application/x-amz-json-1.0',
  logs: 'application/x-amz-json-1.1',
  identity: 'text/xml'
}

/** The type of a call in the query protocol. */
const FORM = /^application\/x-www-form-urlencoded\b/

/** As X-Amz-Date has it. */
const AMZ_DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/
/** How far the time of a signature may be from the time of AWS. */
const MAX_SIGNATURE_SKEW_MS = 5 * 60_000

const inflate = promisify(gunzip)

/** Service and action of a call, from its headers. */
export interface Target {
  service: Service
  /** Name of the action, or the whole target when the service is not known. */
  action: string
}

export function readTarget (request: IncomingMessage): Target {
  if (FORM.test(request.headers['content-type'] ?? '')) return { service: 'identity', action: 'Unknown' }
  const target = String(request.headers['x-amz-target'] ?? '')
  const [prefix, action] = target.split('.', 2)
  const service = SERVICES[prefix!]
  return service === undefined || action === undefined || action === ''
    ? { service: 'logs', action: target || 'Unknown' }
    : { service, action }
}

/** Collects the body as it came. @throws AwsError when it is larger than any request can be */
export async function readBody (request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    // Read on to the end, or the answer would not reach a client that still writes.
    if (size <= MAX_BODY_BYTES) chunks.push(chunk)
  }
  if (size > MAX_BODY_BYTES) throw entityTooLarge(MAX_BODY_BYTES)
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)
}

/** @throws AwsError */
export async function decompress (body: Buffer, encoding: string | undefined): Promise<Buffer> {
  if (encoding === undefined || encoding === 'identity') return body
  if (encoding !== 'gzip') throw serializationError(`The content encoding ${encoding} is not supported`)
  try {
    return await inflate(body, { maxOutputLength: MAX_BODY_BYTES })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw entityTooLarge(MAX_BODY_BYTES)
    throw serializationError('The body is not gzip')
  }
}

/** @throws AwsError unless the body is one JSON object */
export function parseInput (body: Buffer): Input {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    throw serializationError('The body is not JSON')
  }
  return structureOf(value, 'body')
}

/** The parameters of a call in the query protocol, of which one is its action. */
export function parseForm (body: Buffer): Input {
  return Object.fromEntries(new URLSearchParams(body.toString('utf8')))
}

/** @throws AwsError; signatures are not verified */
export function requireAuthorization (request: IncomingMessage): void {
  if (request.headers.authorization === undefined) {
    throw new AwsError(403, 'MissingAuthenticationTokenException', 'Missing Authentication Token')
  }
}

/**
 * By the clock that the Date header of the answer shows, which a client can set its own by; a request without
 * X-Amz-Date passes.
 * @throws AwsError when the signature is of another time
 */
export function requireTimelySignature ({ headers }: IncomingMessage, service: Service): void {
  const signedAt = Date.parse(String(headers['x-amz-date']).replace(AMZ_DATE, '$1-$2-$3T$4:$5:$6Z'))
  const now = Date.now()
  const sign = Math.sign(signedAt - now)
  if (!(Math.abs(signedAt - now) > MAX_SIGNATURE_SKEW_MS)) return
  const limit = toAmzDate(now + sign * MAX_SIGNATURE_SKEW_MS)
  throw wrongTime(service, sign < 0
    ? `Signature expired: ${toAmzDate(signedAt)} is now earlier than ${limit} (${toAmzDate(now)} - 5 min.)`
    : `Signature not yet current: ${toAmzDate(signedAt)} is still later than ${limit} (${toAmzDate(now)} + 5 min.)`)
}

function toAmzDate (at: number): string {
  return new Date(at).toISOString().replaceAll(/[-:]|\.\d+/g, '')
}

/** @throws AwsError */
export function requireAction<T> (actions: Record<Service, Record<string, T>>, { service, action }: Target): T {
  if (!Object.hasOwn(actions[service], action)) throw unknownOperation(action)
  return actions[service][action]!
}

export function sendAnswer (response: ServerResponse, service: Service, body: object): void {
  send(response, 200, service, {}, service === 'identity' ? toXml(body) : JSON.stringify(body))
}

function toXml (value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return Object.entries(value).map(([name, member]) => `<${name}>${toXml(member)}</${name}>`).join('')
}

/** Answers 200 with a body that no JSON parser takes. */
export function sendGarbage (response: ServerResponse, service: Service): void {
  send(response, 200, service, {}, '<html>{"rejectedLogEventsInfo":')
}

export function sendError (response: ServerResponse, service: Service, error: AwsError): void {
  if (service === 'identity') {
    const answer = { ErrorResponse: { Error: { Type: 'Sender', Code: queryCode(error), Message: error.message } } }
    return send(response, error.status, service, {}, toXml(answer))
  }
  const inQueryMode = service === 'cloudwatch' && response.req.headers['x-amzn-query-mode'] === 'true'
  const type = service === 'cloudwatch' ? `com.amazonaws.cloudwatch#${error.code}` : error.code
  send(response, error.status, service,
    inQueryMode ? { 'x-amzn-query-error': queryError(error) } : {},
    JSON.stringify({ __type: type, message: error.message }))
}

function send (
  response: ServerResponse,
  status: number,
  service: Service,
  headers: Record<string, string>,
  text: string
): void {
  if (response.destroyed) return
  const body = Buffer.from(text)
  response.writeHead(status, {
    'x-amzn-requestid': randomUUID(),
    'content-type': CONTENT_TYPES[service],
    'content-length': body.length,
    ...headers
  })
  response.end(body)
}

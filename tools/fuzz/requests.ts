import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import fc, { type Arbitrary } from 'fast-check'
import type { Document, Operation, Parameter, Schema } from './document.js'
import { embeddedMetric } from './embedded-metrics.js'
import { broken, garbage, nearly } from './mutations.js'
import { anyText, hintOr, valuesOf, type Hints } from './values.js'

export interface Credentials { access: string, client: string, admin: string }

export interface FuzzRequest {
  method: string
  /** The path with its query. */
  path: string
  headers: Record<string, string>
  body: Buffer | null
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND']
const CONTENT_TYPES = [
  '', 'application/json; charset=utf-16', 'application/xml', 'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x', 'text/plain;charset=UTF-8', 'application/json, text/plain', '__proto__',
  'application/cbor', 'a/b; c="', 'application/jsonl'
]
const BOMB = gzipSync(Buffer.alloc(20_000_000, ' '))
const BIG = Buffer.from(JSON.stringify({
  logGroupName: '/fuzz',
  logStreamName: 's',
  logEvents: [{ message: 'x'.repeat(3_000_000) }]
}))
const ENCODERS: Record<string, (
  bytes: Buffer
) => Buffer> = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync }
const MINUTE_MS = 60_000
/** A few keys, so that a request meets the key of another, and sometimes its own again. */
const IDEMPOTENCY_KEYS = ['a', 'a', 'b', 'b', '"quoted"', 'x'.repeat(300)]
/** Addresses as proxies write them, and as nobody should. */
const FORWARDED_FOR = [
  '1.2.3.4', '1.2.3.4:50000', '::1', '[2001:db8::1]:443', '2001:db8::1%eth0', 'unknown', '_hidden', ',', 'a, b, c',
  '1.2.3.4, ', '999.1.1.1', '0x7f.1'
]
const FORWARDED = [
  'for=1.2.3.4;proto=https;host=evil.example', 'for="[2001:db8::1]:443"', 'for=_hidden, for=unknown', 'for="', ';;;',
  'by=x;for'
]

const rarely = <T>(common: Arbitrary<T>, rare: Arbitrary<T>, weight: number): Arbitrary<T> => fc.oneof({
  arbitrary: common,
  weight: weight - 1
}, { arbitrary: rare, weight: 1 })

/** Texts that node:http lets a client send as the value of a header. */
const headerText = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).map(code => String.fromCharCode(code)).filter(character =>
    character !== '\u007f'),
  maxLength: 40
})
const queryText = rarely(
  anyText.map(encodeSafely), fc.constantFrom('%', '%zz', '%00', '%ff', '\u00e9', '&&&', '=', '[]', '+', '%2e%2e%2f'), 4
)

/** Encodes a text for a URL; lone surrogates have no encoding. */
function encodeSafely (text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

function hintsFor (credentials: Credentials): Hints {
  const now = Date.now()
  const nearby = fc.integer({ min: now - 30 * MINUTE_MS, max: now + 30 * MINUTE_MS })
  return {
    accessToken: fc.constantFrom(credentials.access, credentials.access, credentials.client, `${credentials.access}x`),
    clientToken: fc.constant(credentials.client),
    Namespace: fc.constantFrom('fuzz', 'fuzz/a', 'fuzz/b', 'other'),
    MetricName: fc.constantFrom('a', 'b', 'c'),
    logGroupName: fc.constantFrom('/fuzz', '/fuzz/a', '/fuzz/b', '/other'),
    logStreamName: fc.constantFrom('s1', 's2', 's3', 's4'),
    timestamp: nearby,
    Timestamp: nearby,
    sentAt: nearby,
    message: fc.oneof({ arbitrary: fc.string({ maxLength: 60 }), weight: 5 }, embeddedMetric),
    'idempotency-key': fc.constantFrom(...IDEMPOTENCY_KEYS),
    // Never the fuzzer's own application: without its tokens nothing is left to fuzz.
    application: fc.constantFrom('nobody', 'nobody-else'),
    issuedBefore: fc.constantFrom('2026-01-01T00:00:00Z', '2025-06-30'),
    days: fc.constantFrom('1', '7', '0', '36', '1e3'),
    prefer: fc.constantFrom('wait=0', 'wait=1', 'wait=1, handling=lenient', 'wait=-1', 'wait', 'return=minimal'),
    id: fc.constantFrom('1795330800123-0', 'nothing', '0', '%2e%2e', '__proto__')
  }
}

/** The JSON text of bodies: mostly values that the schema takes, else nearly such values, or any value. */
function jsonOf (document: Document, schema: Schema, hints: Hints): Arbitrary<string> {
  const valid = valuesOf(document, schema, hints)
  const values = fc.oneof({ arbitrary: valid, weight: 5 }, {
    arbitrary: nearly(valid),
    weight: 4
  }, { arbitrary: garbage, weight: 1 })
  return values.map(value => JSON.stringify(value) ?? '')
}

function bodyOf (document: Document, operation: Operation, type: string, hints: Hints): Arbitrary<Buffer | null> {
  const whole = operation.bodies['application/json']
  if (whole === undefined) return rarely(fc.constant(null), fc.constant(Buffer.from('{}')), 10)
  const json = jsonOf(document, whole, hints)
  const line = fc.oneof(jsonOf(document, {
    $ref: '#/components/schemas/LogEvent'
  }, hints), json, fc.constantFrom('', ' ', 'no JSON'))
  const text = /jsonl|ndjson/.test(type) ? fc.array(line, { maxLength: 6 }).map(lines => lines.join('\n')) : json
  return fc.oneof({
    arbitrary: text.map(text => Buffer.from(text)),
    weight: 17
  }, { arbitrary: broken(json), weight: 3 })
}

function parametersOf (
  document: Document, parameters: Parameter[], place: Parameter['in'], hints: Hints
): Arbitrary<Record<string, string>> {
  const chosen = parameters.filter(parameter => parameter.in === place)
  const fields = chosen.map(({ name, schema }) =>
    [name, fc.oneof(hintOr(hints, name, valuesOf(document, schema, hints)), anyText).map(String)] as const)
  return fc.record(Object.fromEntries(fields), {
    requiredKeys: chosen.filter(({ required }) => required).map(({ name }) => name)
  })
}

function authorizationFor (
  { security }: Operation, { access, client, admin }: Credentials
): Arbitrary<string | undefined> {
  const good = security.includes('adminToken') ? admin : access
  const bad = fc.constantFrom(
    undefined, '', 'Bearer', `Bearer ${client}`, `Bearer ${access}`, `Bearer ${access.slice(0, -2)}`, `Basic ${access}`,
    `Bearer ${access} ${access}`, 'Bearer eyJhbGciOiJub25lIn0.e30.', 'Bearer __proto__'
  )
  return fc.oneof({
    arbitrary: fc.constant(`Bearer ${good}`),
    weight: 6
  }, { arbitrary: bad, weight: 1 }, { arbitrary: headerText, weight: 1 })
}

function queryOf (document: Document, operation: Operation, credentials: Credentials, hints: Hints): Arbitrary<string> {
  const known = parametersOf(document, operation.parameters, 'query', hints).map(fields =>
    Object.entries(fields).map(([name, value]) => `${name}=${encodeSafely(value)}`).join('&'))
  const odd = fc.tuple(
    fc.constantFrom('accessToken', '__proto__', 'accessToken[]', 'limit', 'constructor.prototype'), queryText
  ).map(([name, value]) => `${name}=${value}`)
  const token = fc.constantFrom(
    `accessToken=${credentials.access}`, `accessToken=${credentials.access}&accessToken=${credentials.access}`,
    'accessToken='
  )
  return fc.oneof({ arbitrary: known, weight: 6 }, odd, token)
}

function pathOf (document: Document, operation: Operation, hints: Hints): Arbitrary<string> {
  const exact = parametersOf(document, operation.parameters, 'path', hints)
    .map(values => operation.path.replace(/\{(\w+)\}/g, (_all, name: string) => encodeSafely(values[name]!)))
  const odd = fc.tuple(exact, queryText).map(([path, text]) => `${path}/${text.replaceAll('?', '')}`)
  return rarely(
    exact,
    fc.oneof(odd, exact.map(path =>
      path.toUpperCase()), exact.map(path => `/${path}`), exact.map(path => `${path}/`), exact.map(path =>
      `${path}${'x'.repeat(9_000)}`)),
    14
  )
}

interface Encoded { bytes: Buffer | null, encoding: string | undefined }

function encoded (body: Arbitrary<Buffer | null>): Arbitrary<Encoded> {
  const plain: Arbitrary<Encoded> = body.map(bytes => ({ bytes, encoding: undefined }))
  const good = fc.tuple(body, fc.constantFrom(...Object.keys(ENCODERS))).map(([bytes, encoding]) => ({
    bytes: bytes === null ? null : ENCODERS[encoding]!(bytes),
    encoding
  }))
  const cut = good.map(({ bytes, encoding }) => ({
    bytes: bytes === null ? null : bytes.subarray(0, bytes.length >> 1),
    encoding
  }))
  const lie =
    fc.tuple(body, fc.constantFrom('gzip', 'br', 'deflate', 'zstd', 'compress', 'gzip, gzip', '__proto__', '')).map(
      ([bytes, encoding]) => ({ bytes, encoding })
    )
  const huge = fc.constantFrom({ bytes: BOMB, encoding: 'gzip' }, { bytes: BIG, encoding: undefined })
  return fc.oneof({
    arbitrary: plain,
    weight: 80
  }, { arbitrary: good, weight: 20 }, { arbitrary: cut, weight: 3 }, { arbitrary: lie, weight: 4 }, {
    arbitrary: huge as Arbitrary<Encoded>,
    weight: 1
  })
}

function extraHeaders (): Arbitrary<Record<string, string>> {
  return fc.record({
    origin: fc.oneof(
      fc.constantFrom('https://shop.example', 'null', '*', 'file://', 'https://a,https://b'), headerText
    ),
    'x-forwarded-for': fc.oneof({ arbitrary: fc.constantFrom(...FORWARDED_FOR), weight: 3 }, headerText),
    forwarded: fc.oneof({ arbitrary: fc.constantFrom(...FORWARDED), weight: 3 }, headerText),
    'x-forwarded-host': fc.constantFrom('evil.example', 'a b', '[', ''),
    'x-forwarded-proto': fc.constantFrom('https', 'javascript', ''),
    'user-agent': headerText,
    accept: fc.constantFrom('*/*', 'text/html', 'application/json;q=0', ''),
    'accept-encoding': headerText,
    'x-long': fc.constantFrom('x'.repeat(4_000), 'x'.repeat(12_000)),
    host: fc.constantFrom('x', '[::1]:99999', 'a b', ''),
    'access-control-request-method': fc.constantFrom('POST', 'x')
  }, { requiredKeys: [] }).map(headers => keepSome(headers))
}

/** Drops most long headers, as every second request would else end at the limit on headers. */
function keepSome (headers: Record<string, string>): Record<string, string> {
  const { 'x-long': long, ...rest } = headers
  return long !== undefined && Object.keys(rest).length % 4 === 0 ? { ...rest, 'x-long': long } : rest
}

function requestsOf (document: Document, operation: Operation, credentials: Credentials): Arbitrary<FuzzRequest> {
  const hints = hintsFor(credentials)
  const types = Object.keys(operation.bodies)
  const documented = types.length === 0 ? fc.constant('application/json') : fc.constantFrom(...types)
  return rarely(documented, fc.oneof(fc.constantFrom(...CONTENT_TYPES), headerText), 10).chain(type => fc.record({
    method: rarely(fc.constant(operation.method), fc.constantFrom(...METHODS), 14),
    path: pathOf(document, operation, hints),
    query: rarely(fc.constant(''), queryOf(document, operation, credentials, hints), 4),
    own: parametersOf(document, operation.parameters, 'header', hints).map(latin),
    extra: rarely(fc.constant({}), extraHeaders(), 4),
    authorization: authorizationFor(operation, credentials),
    encoded: encoded(bodyOf(document, operation, type, hints))
  }).map(({ method, path, query, own, extra, authorization, encoded: { bytes, encoding } }) => ({
    method,
    path: query === '' ? path : `${path}?${query}`,
    headers: {
      ...own,
      ...extra,
      ...(authorization === undefined ? {} : { authorization }),
      ...(bytes === null ? {} : { 'content-type': type, 'content-length': String(bytes.length) }),
      ...(bytes === null || encoding === undefined ? {} : { 'content-encoding': encoding })
    },
    body: bytes
  })))
}

/** Replaces the characters that headers cannot carry. */
function latin (headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, value.replace(/[^\u0020-\u007e\u00a0-\u00ff]/g, '?')])
  )
}

/** Requests to every operation of the document, most of them to the operations that store items. */
export function requests (
  document: Document, operations: Operation[], credentials: Credentials
): Arbitrary<FuzzRequest> {
  return fc.oneof(...operations.map(operation => ({
    arbitrary: requestsOf(document, operation, credentials),
    weight: operation.bodies['application/json'] !== undefined ? 4 : 1
  })))
}

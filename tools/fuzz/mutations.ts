import fc, { type Arbitrary } from 'fast-check'
import { anyText } from './values.js'

const HOSTILE_KEYS = [
  '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'length', '', '\u0000', 'a.b', '$ref', 'then'
]
const HOSTILE_NUMBERS = [
  0, -0, -1, 1e-320, Number.MAX_VALUE, -Number.MAX_VALUE, Number.MAX_SAFE_INTEGER + 2, 2 ** 361, 8.64e15 + 1, 1e11
]
const HOSTILE_TEXTS = [
  '', ' ', '\u0000', '\r\n\r\nHTTP/1.1 200 OK', '\ud800', '\u202e', '__proto__', '$' + '{jndi:ldap://x}',
  '../../etc/passwd', "' or 1=1 --", '<script>', '%00', '1e999', 'NaN', '2026-13-45T99:99:99Z', '-1', '٣', '::', ':*'
]
const LONG = 70_000
const DEPTH = 20_000
/** The most repetitions: three mutations with them make a body too large, and still a string. */
const REPEATED = 40

/** Fields that are read before, or apart from, the items. */
const FIELDS = ['accessToken', 'clientToken', 'sentAt', 'params', 'logEvents']
const SIZES = [100, 1_000, DEPTH]

/** JSON of objects or arrays in one another. */
const deep = fc.tuple(fc.constantFrom(['[', ']'], ['{"a":', '}'], [
  '[{"":', '}]'
]), fc.constantFrom(...SIZES)).map(([[open, close], depth]) =>
  `${open!.repeat(depth)}0${close!.repeat(depth)}`)
/** JSON of many fields or elements beside one another. */
const wide = fc.tuple(fc.boolean(), fc.constantFrom(...SIZES)).map(([isArray, width]) => isArray
  ? `[${Array(width).fill('{}').join(',')}]`
  : `{${Array.from({ length: width }, (_none, n) => `"${n}":${n}`).join(',')}}`)

export const garbage: Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  anyText,
  fc.constantFrom(...HOSTILE_NUMBERS),
  fc.constantFrom(...HOSTILE_TEXTS),
  fc.constantFrom(null, true, [], {}, [[]], [null], 'x'.repeat(LONG))
)

type Edit = { kind: 'replace' | 'remove' | 'add' | 'wrap' | 'repeat' | 'text', at: number, key: string, value: unknown }

const edit: Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('replace', 'remove', 'add', 'wrap', 'repeat', 'text'),
  at: fc.nat(1_000),
  key: fc.oneof(fc.constantFrom(...HOSTILE_KEYS), anyText),
  value: garbage
})

type Container = Record<string, unknown> | unknown[]
interface Place { holder: Container, key: string }

function placesIn (value: unknown): Place[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => [{ holder: value as Container, key }, ...placesIn(inner)])
}

/** Sets an own field, whatever its name is. */
function define (holder: Container, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true })
}

function change (value: unknown, { kind, at, key, value: given }: Edit): unknown {
  // Edits share constants, and a later edit may change the value that an earlier one has put in.
  const other = structuredClone(given)
  const places = placesIn(value)
  if (places.length === 0) return other
  const { holder, key: name } = places[at % places.length]!
  const old = Object.getOwnPropertyDescriptor(holder, name)?.value as unknown
  if (kind === 'remove') Reflect.deleteProperty(holder, name)
  else if (kind === 'add') define(holder, Array.isArray(holder) ? name : key, other)
  else if (kind === 'wrap') define(holder, name, [old])
  else if (kind === 'repeat') define(holder, name, Array(REPEATED).fill(old))
  else if (kind === 'text') define(holder, name, JSON.stringify(old) ?? '')
  else define(holder, name, other)
  return value
}

/** A valid value with one to three faults. */
export function nearly (valid: Arbitrary<unknown>): Arbitrary<unknown> {
  return fc.tuple(valid, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([value, edits]) =>
    edits.reduce(change, structuredClone(value)))
}

/** Bodies of broken, repeated or deep JSON, and of any bytes. */
export function broken (json: Arbitrary<string>): Arbitrary<Buffer> {
  return fc.oneof(
    fc.tuple(json, fc.double({ min: 0, max: 1, noNaN: true })).map(([text, share]) =>
      Buffer.from(text.slice(0, Math.floor(text.length * share)))),
    fc.tuple(json, fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
      const bytes = Buffer.from(text)
      if (bytes.length > 0) bytes[at % bytes.length] = byte
      return bytes
    }),
    json.map(text => Buffer.from(`\ufeff${text}`)),
    json.map(text => Buffer.from(text + text)),
    fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
    fc.constantFrom('[', '{"a":', '{"params":').map(open => Buffer.from(open.repeat(DEPTH))),
    fc.tuple(fc.constantFrom(...FIELDS), fc.oneof(deep, wide)).map(([field, text]) =>
      Buffer.from(`{"${field}":${text}}`)),
    fc.constantFrom(
      '[]'.repeat(9),
      '{"a":1,"a":2}',
      '{"__proto__":{"polluted":1}}',
      '{"constructor":{"prototype":{"polluted":1}}}',
      '1e999',
      '"\\ud800"',
      '\n\n\n'
    ).map(text => Buffer.from(text))
  )
}

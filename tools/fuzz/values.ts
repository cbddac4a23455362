import fc, { type Arbitrary } from 'fast-check'
import { resolve, type Document, type Schema } from './document.js'

/** Values that the schema alone does not tell, by the name of the field. */
export type Hints = Record<string, Arbitrary<unknown>>

const MAX_ITEMS = 4
const MAX_CHARACTERS = 60
const YEAR_MS = 365 * 24 * 3_600_000
const DATES = { min: new Date(Date.UTC(2020, 0)), max: new Date(Date.now() + YEAR_MS), noInvalidDate: true }

export const anyText = fc.oneof(fc.string({ maxLength: MAX_CHARACTERS }), fc.string({
  unit: 'binary',
  maxLength: MAX_CHARACTERS
}), fc.string({
  unit: 'grapheme',
  maxLength: MAX_CHARACTERS
}))

function text (schema: Schema): Arbitrary<string> {
  if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern))
  if (schema.format === 'date-time') return fc.date(DATES).map(date => date.toISOString())
  const length = {
    minLength: schema.minLength ?? 0,
    maxLength: Math.min(schema.maxLength ?? MAX_CHARACTERS, MAX_CHARACTERS)
  }
  const plain = fc.string(length)
  const longest = schema.maxLength === undefined
    ? plain
    : fc.constantFrom(schema.maxLength, schema.maxLength + 1).map(count => 'x'.repeat(count))
  return fc.oneof({ arbitrary: plain, weight: 6 }, {
    arbitrary: fc.string({ ...length, unit: 'binary' }),
    weight: 2
  }, longest)
}

function numeric ({ type, minimum, maximum, exclusiveMinimum }: Schema): Arbitrary<number> {
  if (type === 'integer') return fc.integer({ min: minimum ?? -1, max: maximum ?? 2_000_000_000 })
  const bounds = {
    ...(minimum === undefined ? {} : { min: minimum }),
    ...(maximum === undefined ? {} : { max: maximum })
  }
  const exact = exclusiveMinimum === undefined
    ? fc.double({ ...bounds, noNaN: true, noDefaultInfinity: true })
    : fc.double({ min: exclusiveMinimum, minExcluded: true, noNaN: true, noDefaultInfinity: true })
  const small = fc.integer({ min: Math.ceil(Math.max(0, (minimum ?? 0), (exclusiveMinimum ?? -1) + 1)), max: 1_000 })
  return fc.oneof(exact, small)
}

/** Values that the schema takes; a field with a hint mostly has a value of the hint. */
export function valuesOf (document: Document, unresolved: Schema, hints: Hints): Arbitrary<unknown> {
  const schema = resolve(document, unresolved)
  const of = (inner: Schema) => valuesOf(document, inner, hints)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(of))
  switch (schema.type) {
    case 'object': {
      const fields = Object.entries(schema.properties ?? {}).map(([name, field]) =>
        [name, hintOr(hints, name, of(field))] as const)
      return fc.record(Object.fromEntries(fields), { requiredKeys: schema.required ?? [] })
    }
    case 'array': return fc.array(of(schema.items ?? {}), {
      minLength: schema.minItems ?? 0,
      maxLength: Math.min(schema.maxItems ?? MAX_ITEMS, MAX_ITEMS)
    })
    case 'number': case 'integer': return numeric(schema)
    case 'boolean': return fc.boolean()
    case 'null': return fc.constant(null)
    case 'string': return text(schema)
    default: return fc.jsonValue()
  }
}

export function hintOr (hints: Hints, name: string, otherwise: Arbitrary<unknown>): Arbitrary<unknown> {
  return Object.hasOwn(hints, name) ? fc.oneof({ arbitrary: hints[name]!, weight: 7 }, otherwise) : otherwise
}

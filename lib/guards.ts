/** Printable ASCII, which is all that CloudWatch takes in names and dimensions. */
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/
const NOT_BLANK = /[^ ]/

/** Null when CloudWatch takes this text as a name of at most `maxLength` characters, else the rule it breaks. */
export function textError (text: string, maxLength: number): string | null {
  if (text.length === 0) return 'must not be empty'
  if (text.length > maxLength) return `must have at most ${maxLength} characters`
  if (!PRINTABLE_ASCII.test(text)) return 'must be printable ASCII'
  if (!NOT_BLANK.test(text)) return 'must not be blank'
  return null
}

/** The first field of an object that is not in the list; undefined when there is none. */
export function unknownField (object: object, known: ReadonlySet<string>): string | undefined {
  for (const field in object) {
    if (!known.has(field)) return field
  }
  return undefined
}

export function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

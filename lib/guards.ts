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

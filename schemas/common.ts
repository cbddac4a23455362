import { Type, type Static, type TSchema } from '@sinclair/typebox'

/** Milliseconds since the Unix epoch, by a wall clock. */
export type UnixMs = number

export const DAY_MS = 24 * 3_600_000

/**
 * Milliseconds of a clock that nobody sets, such as `performance.now`: only differences within a process mean anything.
 */
export type MonotonicMs = number

/** Items of one request; a body of many tiny bad ones would else get an answer many times its size. */
export const MAX_ITEMS = 10_000

/** A `$ref` to a registered schema that keeps its static type. */
export function ref<T extends TSchema> (schema: T) {
  return Type.Unsafe<Static<T>>(Type.Ref(schema.$id!))
}

/** A string out of a closed list, as one `enum` and not as a union of constants. */
export function stringEnum<const T extends readonly string[]> (values: T, options: object = {}) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...options })
}

/** An integer out of a closed list. */
export function integerEnum<const T extends readonly number[]> (values: T, options: object = {}) {
  return Type.Unsafe<T[number]>({ type: 'integer', enum: [...values], ...options })
}

/** Absent or a string, whose content the token plugin judges. */
export const AccessTokenParameter = Type.Optional(Type.String({ description: 'Instead of the Authorization header.' }))

/** Documents the client's time in the bodies that carry items. */
export const SentAtSchema = Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.String()], {
  description: 'The client\'s time when it sends the request: Unix milliseconds or ISO 8601. When it differs from ' +
    'the server\'s by more than a minute, the timestamps of the items are moved by the difference.'
}))

export const TokenQuerySchema = Type.Object({ accessToken: AccessTokenParameter })

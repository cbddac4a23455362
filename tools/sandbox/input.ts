import { serializationError } from './aws-error.js'

/** Members of one action's request, or of a structure in it. */
export type Input = Record<string, unknown>

/** The answer of an action. */
export interface Answer {
  body: object
  /** Items taken by a call that carries items; counted in the ledger. */
  delivered?: Delivered
}

export interface Delivered {
  /** Data points of metrics, or log events. */
  stored: number
  /** Datums or log events, stored or rejected. */
  items: number
  /** Bytes as the limit of the action counts them. */
  bytes: number
  /** The used share of the action's fuller limit, 0 to 1. */
  fill: number
  rejected?: { 'too-old': number, 'too-new': number, expired: number }
}

/**
 * @param bytes size of the JSON body after decompression
 * @throws AwsError
 */
export type Action = (input: Input, bytes: number) => Answer

function isAbsent (value: unknown): value is null | undefined {
  return value === undefined || value === null
}

function wrongType (value: unknown, name: string, type: string): Error {
  return serializationError(`${typeof value} can not be converted to ${type} (${name})`)
}

export function textOf (input: Input, name: string): string | undefined {
  const value = input[name]
  if (isAbsent(value)) return undefined
  if (typeof value !== 'string') throw wrongType(value, name, 'a String')
  return value
}

/** The value of a Double. JSON has no NaN and no infinities, so the SDK sends them as strings. */
export function numberOf (input: Input, name: string): number | undefined {
  const value = input[name]
  if (isAbsent(value)) return undefined
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value)
  if (typeof value !== 'number') throw wrongType(value, name, 'a Double')
  return value
}

export function integerOf (input: Input, name: string): number | undefined {
  const value = input[name]
  if (isAbsent(value)) return undefined
  if (!Number.isInteger(value)) throw wrongType(value, name, 'an Integer')
  return value as number
}

export function flagOf (input: Input, name: string): boolean | undefined {
  const value = input[name]
  if (isAbsent(value)) return undefined
  if (typeof value !== 'boolean') throw wrongType(value, name, 'a Boolean')
  return value
}

export function listOf (input: Input, name: string): unknown[] | undefined {
  const value = input[name]
  if (isAbsent(value)) return undefined
  if (!Array.isArray(value)) throw wrongType(value, name, 'a List')
  return value
}

export function structureOf (value: unknown, name: string): Input {
  if (isAbsent(value) || typeof value !== 'object' || Array.isArray(value)) throw wrongType(value, name, 'a Structure')
  return value as Input
}

export function structuresOf (input: Input, name: string): Input[] | undefined {
  return listOf(input, name)?.map(member => structureOf(member, name))
}

export function textsOf (input: Input, name: string): string[] | undefined {
  return listOf(input, name)?.map(member => {
    if (typeof member !== 'string') throw wrongType(member, name, 'a String')
    return member
  })
}

/** A token that is opaque to the caller, as tokens of AWS are. */
export function encodeToken (content: object): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url')
}

/** Null when the token was not made by encodeToken. */
export function decodeToken (token: string): Input | null {
  try {
    const content: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    return content !== null && typeof content === 'object' ? content as Input : null
  } catch {
    return null
  }
}

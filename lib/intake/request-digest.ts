import { createHash } from 'node:crypto'
import type { Kind } from '../../schemas/kinds.js'

/** Levels of JSON that count for the digest; no valid item is as deep. */
const MAX_DEPTH = 16

/** The items that a request brings for one destination, as they were decoded. */
export interface RequestContent {
  kind: Kind
  destination: readonly unknown[]
  items: readonly unknown[]
}

/** A hash of several texts, whose boundaries count. */
export function hashOf (...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}

/** A digest of the items: equal for a repeated request, however it is encoded, whatever its token and its `sentAt`. */
export function digestContent ({ kind, destination, items }: RequestContent): string {
  return hashOf(kind, canonicalJson(destination), canonicalJson(items))
}

/** `digestContent` of a request for several destinations. */
export function digestContents (contents: readonly RequestContent[]): string {
  return hashOf(...contents.map(digestContent))
}

/** JSON whose fields are in the order of their names. */
export function canonicalJson (value: unknown, depth = 0): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? ''
  if (depth === MAX_DEPTH) return '"…"'
  if (Array.isArray(value)) return `[${value.map(each => canonicalJson(each, depth + 1)).join()}]`
  const fields = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1)
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field, depth + 1)}`).join()}}`
}

import { createHash } from 'node:crypto'
import type { Kind } from '../../schemas/kinds.js'

/** No item that is valid is as deep; what lies deeper tells no requests apart. */
const MAX_DEPTH = 16

/** What a request asks to be stored for one destination, as it was decoded. */
export interface RequestContent {
  kind: Kind
  destination: readonly unknown[]
  items: readonly unknown[]
}

/** Hash of any parts that tell one from another. */
export function hashOf (...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}

/**
 * Digest of what is stored: equal for a repeated request, however it is encoded, whatever its token and its `sentAt`.
 */
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

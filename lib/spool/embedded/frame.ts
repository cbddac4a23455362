import { packEntries, type Chunk } from '../entry-codec.js'
import type { BatchLimits } from '../spool.js'
import type { Kind } from '../../../schemas/kinds.js'
import type { GroupedAppend } from './append-group.js'

/** `[kind, destination, appendedAt, urgent, [[records, items, bytes, lineBytes, bytes of the value], …]]` */
type Head = [Kind, string, number, boolean, [number, number, number, number, number][]]

/** An idempotency key that was claimed: its hash, when it is forgotten in Unix milliseconds, its answer. */
export type Claim = [hash: string, expiresAt: number, answer: string]

const NEWLINE = 0x0a

/** What one frame holds of one destination. */
export interface Journaled {
  kind: Kind
  destination: string
  /** Their values lie in the frame. */
  chunks: Chunk[]
  /** Unix milliseconds. */
  appendedAt: number
  urgent: boolean
}

/** All that one frame holds. */
export interface FrameContent {
  journaled: Journaled[]
  claims: Claim[]
}

/**
 * Writes appends as the body of one frame: a line with the keys that were claimed, if any, then per destination a line
 * that says what follows, and the values.
 */
export function toFrame (appends: GroupedAppend[], claims: Claim[], limits: Record<Kind, BatchLimits>, appendedAt: number): { body: Buffer, journaled: Journaled[] } {
  const claimed = claims.length === 0 ? '' : `${JSON.stringify({ claims })}\n`
  const packed = appends.map(({ kind, destination, records, urgent }) => {
    const chunks = packEntries(records, limits[kind])
    const sizes = chunks.map(({ records, items, bytes, lineBytes, valueBytes }) => [records, items, bytes, lineBytes, valueBytes])
    return { kind, destination, urgent, chunks, head: `${JSON.stringify([kind, destination, appendedAt, urgent, sizes])}\n` }
  })
  const size = packed.reduce((sum, { head, chunks }) => chunks.reduce((sum, { valueBytes }) => sum + valueBytes, sum + Buffer.byteLength(head)), Buffer.byteLength(claimed))
  const body = Buffer.allocUnsafeSlow(size)
  let at = body.write(claimed)
  const journaled = packed.map(({ kind, destination, urgent, chunks, head }) => {
    at += body.write(head, at)
    return {
      kind,
      destination,
      appendedAt,
      urgent,
      chunks: chunks.map(({ valueBytes, write, ...sizes }) => {
        write(body, at)
        at += valueBytes
        return { ...sizes, value: body.subarray(at - valueBytes, at) }
      })
    }
  })
  return { body, journaled }
}

/** Reads it back; the checksum of the frame has said that it is what was written. */
export function fromFrame (body: Buffer): FrameContent {
  const content: FrameContent = { journaled: [], claims: [] }
  for (let at = 0; at < body.length;) {
    const end = body.indexOf(NEWLINE, at)
    const head = JSON.parse(body.toString('utf8', at, end)) as Head | { claims: Claim[] }
    at = end + 1
    if ('claims' in head) {
      content.claims = head.claims
      continue
    }
    const [kind, destination, appendedAt, urgent, sizes] = head
    const chunks = sizes.map(([records, items, bytes, lineBytes, valueBytes]) => {
      at += valueBytes
      return { records, items, bytes, lineBytes, value: body.subarray(at - valueBytes, at) }
    })
    content.journaled.push({ kind, destination, appendedAt, urgent, chunks })
  }
  return content
}

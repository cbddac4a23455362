import { packChunks, valueBytesOf, type Chunk } from '../chunk.js'
import type { BatchLimits, Kind } from '../spool.js'
import type { Gathered } from './gathering.js'

/** `[kind, destination, appendedAt, [[records, items, bytes, lineBytes, bytes of the value], …]]` */
type Head = [Kind, string, number, [number, number, number, number, number][]]

const NEWLINE = 0x0a

/** What one frame holds of one destination. */
export interface Journaled {
  kind: Kind
  destination: string
  /** Their values lie in the frame. */
  chunks: Chunk<Buffer>[]
  /** Unix milliseconds. */
  appendedAt: number
}

/** Writes appends as the body of one frame: per destination a line that says what follows, then the values. */
export function toFrame (appends: Gathered[], limits: Record<Kind, BatchLimits>, appendedAt: number): { body: Buffer, journaled: Journaled[] } {
  const packed = appends.map(({ kind, destination, records }) => {
    const chunks = packChunks(records, limits[kind]).map(chunk => ({ chunk, valueBytes: valueBytesOf(chunk) }))
    const sizes = chunks.map(({ chunk: { records, items, bytes, lineBytes }, valueBytes }) => [records, items, bytes, lineBytes, valueBytes])
    return { kind, destination, chunks, head: `${JSON.stringify([kind, destination, appendedAt, sizes])}\n` }
  })
  const size = packed.reduce((sum, { head, chunks }) => chunks.reduce((sum, { valueBytes }) => sum + valueBytes, sum + Buffer.byteLength(head)), 0)
  const body = Buffer.allocUnsafeSlow(size)
  let at = 0
  const journaled = packed.map(({ kind, destination, chunks, head }) => {
    at += body.write(head, at)
    return {
      kind,
      destination,
      appendedAt,
      chunks: chunks.map(({ chunk, valueBytes }) => {
        // A string of as many units as bytes is ASCII, which is written faster when nobody has to look.
        body.write(chunk.value, at, chunk.value.length === valueBytes ? 'latin1' : 'utf8')
        at += valueBytes
        const { records, items, bytes, lineBytes } = chunk
        return { records, items, bytes, lineBytes, value: body.subarray(at - valueBytes, at) }
      })
    }
  })
  return { body, journaled }
}

/** Reads it back; the checksum of the frame has said that it is what was written. */
export function fromFrame (body: Buffer): Journaled[] {
  const all: Journaled[] = []
  for (let at = 0; at < body.length;) {
    const end = body.indexOf(NEWLINE, at)
    const [kind, destination, appendedAt, sizes] = JSON.parse(body.toString('utf8', at, end)) as Head
    at = end + 1
    const chunks = sizes.map(([records, items, bytes, lineBytes, valueBytes]) => {
      at += valueBytes
      return { records, items, bytes, lineBytes, value: body.subarray(at - valueBytes, at) }
    })
    all.push({ kind, destination, appendedAt, chunks })
  }
  return all
}

import type { UnixMs } from '../../../schemas/common.js'
import type { Kind } from '../../../schemas/kinds.js'
import type { BatchLimits } from '../batch-limits.js'
import { packEntries, type EncodedEntry } from '../entry-codec.js'
import type { GroupedAppend } from './append-group.js'

/** `[kind, queue, appendedAt, urgent, [[records, items, bytes, lineBytes, bytes of the value], …]]` */
type QueueHeader = [Kind, string, UnixMs, boolean, [number, number, number, number, number][]]

/** The answer that is kept for an idempotency key. */
export type KeyedAnswer = [key: string, expiresAt: UnixMs, answer: string, digest: string, application: string]

/** Earlier versions kept no digest and no application. */
const KEYED_ANSWER_FIELDS = 5

/** Stored in the journal, so that the name stays. */
interface AnswersHeader { claims: KeyedAnswer[] }

const NEWLINE = 0x0a

/** The entries that one frame holds for one queue. */
export interface QueueEntries {
  kind: Kind
  queue: string
  /** In the order of appends; their values lie in the frame. */
  entries: EncodedEntry[]
  appendedAt: UnixMs
  urgent: boolean
}

export interface FrameContent {
  queues: QueueEntries[]
  answers: KeyedAnswer[]
}

/**
 * Writes a group of appends as the body of one frame: a line with the answers to idempotency keys, if any, then per
 * queue a line with the sizes of its entries, and their values.
 */
export function toFrame (
  appends: GroupedAppend[], answers: KeyedAnswer[], limits: Record<Kind, BatchLimits>, appendedAt: UnixMs
): { body: Buffer, queues: QueueEntries[] } {
  const answersLine = answers.length === 0 ? '' : `${JSON.stringify({ claims: answers } satisfies AnswersHeader)}\n`
  const packed = appends.map(({ kind, queue, records, urgent }) => {
    const entries = packEntries(records, limits[kind])
    const sizes = entries.map(({ records, items, bytes, lineBytes, valueBytes }) =>
      [records, items, bytes, lineBytes, valueBytes])
    return { kind, queue, urgent, entries, line: `${JSON.stringify([kind, queue, appendedAt, urgent, sizes])}\n` }
  })
  const size = packed.reduce(
    (sum, { line, entries }) =>
      entries.reduce((sum, { valueBytes }) => sum + valueBytes, sum + Buffer.byteLength(line)),
    Buffer.byteLength(answersLine)
  )
  const body = Buffer.allocUnsafeSlow(size)
  let at = body.write(answersLine)
  const queues = packed.map(({ kind, queue, urgent, entries, line }) => {
    at += body.write(line, at)
    return {
      kind,
      queue,
      appendedAt,
      urgent,
      entries: entries.map(({ valueBytes, write, ...sizes }) => {
        write(body, at)
        at += valueBytes
        return { ...sizes, value: body.subarray(at - valueBytes, at) }
      })
    }
  })
  return { body, queues }
}

/** Reads the body of a frame whose checksum is right. */
export function fromFrame (body: Buffer): FrameContent {
  const content: FrameContent = { queues: [], answers: [] }
  for (let at = 0; at < body.length;) {
    const end = body.indexOf(NEWLINE, at)
    const header = JSON.parse(body.toString('utf8', at, end)) as QueueHeader | AnswersHeader
    at = end + 1
    if ('claims' in header) {
      content.answers = header.claims.filter(({ length }) => length === KEYED_ANSWER_FIELDS)
      continue
    }
    const [kind, queue, appendedAt, urgent, sizes] = header
    const entries = sizes.map(([records, items, bytes, lineBytes, valueBytes]) => {
      at += valueBytes
      return { records, items, bytes, lineBytes, value: body.subarray(at - valueBytes, at) }
    })
    content.queues.push({ kind, queue, appendedAt, urgent, entries })
  }
  return content
}

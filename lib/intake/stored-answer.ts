import type { IntakeAnswer } from '../../schemas/intake.js'

/** Bytes of the rejections that are stored of an answer. */
const MAX_STORED_REJECTED_BYTES = 1_024

/** The answer that is kept for a repeated request: the counts, and as many of the first rejections as fit. */
export function toStoredAnswer (answer: IntakeAnswer): string {
  const { rejected, ...rest } = answer
  let bytes = 0
  const first = rejected.filter(entry => {
    bytes += Buffer.byteLength(JSON.stringify(entry)) + 1
    return bytes <= MAX_STORED_REJECTED_BYTES
  })
  return JSON.stringify({ ...rest, rejected: first })
}

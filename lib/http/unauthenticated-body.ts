import { ApiError } from './api-error.js'

/**
 * Bytes, as inflated, of a body that is parsed before it is known who sends it. The predecessor's clients carry their
 * token in the body.
 */
export const MAX_UNAUTHENTICATED_BYTES = 131_072
/** Levels of such a body; no request that a route takes has as many. */
export const MAX_UNAUTHENTICATED_DEPTH = 32

const LIMITS = `${MAX_UNAUTHENTICATED_BYTES} bytes, as inflated, and ${MAX_UNAUTHENTICATED_DEPTH} levels`
const QUOTE = 0x22
const BACKSLASH = 0x5c
const NEWLINE = 0x0a

export function unauthenticatedBodyTooLarge (): ApiError {
  return new ApiError('bodyTooLarge', {
    message: `A body that comes without a token in the header or the query may have at most ${LIMITS}: send the ` +
      'token as "Authorization: Bearer …", or fewer items in a request.'
  })
}

/**
 * Whether JSON has more levels of objects and arrays than an unauthenticated body may, without parsing it.
 * @param isLines whether each line is a document of its own
 */
export function isTooDeep (text: string, isLines: boolean): boolean {
  let depth = 0
  let isInString = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === NEWLINE && isLines) {
      depth = 0
      isInString = false
    } else if (isInString) {
      if (code === BACKSLASH) i++
      else if (code === QUOTE) isInString = false
    } else if (code === QUOTE) isInString = true
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > MAX_UNAUTHENTICATED_DEPTH) return true
    } else if (code === 0x5d || code === 0x7d) depth--
  }
  return false
}

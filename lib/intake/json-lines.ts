import { MAX_JSON_LINES } from '../../schemas/log-lines.js'
import { ApiError } from '../http/api-error.js'

/** More lines that cannot be read, and the body is not taken for JSON lines. */
export const MAX_UNREADABLE_LINES = 100

/** Stands for the document of a line that cannot be read as JSON. */
export const UNREADABLE = Symbol('unreadable')

/**
 * Reads a body of one JSON document a line; blank lines do not count.
 * @param parse throws for a line that it cannot read
 * @returns the document of each line, UNREADABLE for a line that cannot be read
 * @throws ApiError when there are too many lines, or too many of them cannot be read
 */
export function readJsonLines (text: string, parse: (line: string) => unknown): unknown[] {
  const documents: unknown[] = []
  let unreadable = 0
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start)
    const end = newline === -1 ? text.length : newline
    const line = text.slice(start, end).trim()
    start = end + 1
    if (line === '') continue
    if (documents.length === MAX_JSON_LINES) {
      throw new ApiError('bodyTooLarge', {
        message: `The body has more than ${MAX_JSON_LINES} lines: send fewer in a request.`
      })
    }
    try {
      documents.push(parse(line))
    } catch {
      if (++unreadable > MAX_UNREADABLE_LINES) {
        throw new ApiError('malformedBody', {
          message: `More than ${MAX_UNREADABLE_LINES} lines of the body cannot be read as JSON.`
        })
      }
      documents.push(UNREADABLE)
    }
  }
  return documents
}

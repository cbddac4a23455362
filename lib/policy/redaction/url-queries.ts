import { endsWord, isAlphanumeric, withoutPunctuation } from './characters.js'
import { Splice } from './splice.js'

const SLASH = 0x2f
const QUESTION_MARK = 0x3f
const HASH = 0x23
const NONE = -1

/** Whether the slash starts a path, or belongs to `://`, and not to a pair of words such as `owner/name`. */
function startsPath (text: string, at: number): boolean {
  return at === 0 || !isAlphanumeric(text.charCodeAt(at - 1))
}

/**
 * Takes query and fragment (`?…`, `#…`) from URLs and paths: words with a slash before the question mark, and words
 * with a path or a scheme before the hash. One pass.
 */
export function stripUrlQueries (text: string): string {
  if (!text.includes('?') && !text.includes('#')) return text
  const splice = new Splice(text)
  let slash = false
  let path = false
  let cut = NONE
  let word = 0
  for (let i = 0; i <= text.length; i++) {
    if (i === text.length || endsWord(text, i)) {
      const end = cut === NONE ? NONE : withoutPunctuation(text, word, i)
      if (end > cut + 1) splice.replace(cut, end, '')
      slash = path = false
      cut = NONE
      word = i + 1
      continue
    }
    if (cut !== NONE) continue
    const code = text.charCodeAt(i)
    if (code === SLASH) {
      slash = true
      path ||= startsPath(text, i)
    } else if ((code === QUESTION_MARK && slash) || (code === HASH && path)) {
      cut = i
    }
  }
  return splice.finish()
}

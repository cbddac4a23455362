const ANY_RUN = '*'
const ANY_ONE = '?'

/**
 * `*` stands for any run of characters, `?` for any one. A mismatch goes back to the last `*` and never further, so the
 * steps are at most the product of the lengths of text and glob, whatever they hold.
 */
export function matchesGlob (glob: string, text: string): boolean {
  let at = 0
  let position = 0
  let star = -1
  let resumeAt = 0
  while (position < text.length) {
    const token = glob[at]
    if (token === ANY_RUN) {
      star = at++
      resumeAt = position
    } else if (token !== undefined && (token === ANY_ONE || token === text[position])) {
      at++
      position++
    } else if (star >= 0) {
      at = star + 1
      position = ++resumeAt
    } else {
      return false
    }
  }
  while (glob[at] === ANY_RUN) at++
  return at === glob.length
}

export function matchesAny (globs: readonly string[], text: string): boolean {
  for (const glob of globs) {
    if (glob === ANY_RUN || matchesGlob(glob, text)) return true
  }
  return false
}

/** Characters of a glob that stand for themselves: the more, the narrower it is. */
export function literalLength (glob: string): number {
  let length = 0
  for (const character of glob) {
    if (character !== ANY_RUN && character !== ANY_ONE) length++
  }
  return length
}

/** Where one object ends and the next one begins. */
const BOUNDARY = /\}\s*\{/

/** Whether the text may hold more than one JSON object. */
export function mayHoldSeveralObjects (text: string): boolean {
  return BOUNDARY.test(text)
}

/**
 * Cuts a text into the JSON objects that it holds, whatever white space stands between them.
 * @returns null when it holds anything else, or its quotes and braces do not match
 */
export function splitObjects (text: string): string[] | null {
  const objects: string[] = []
  let depth = 0
  let start = 0
  let isInText = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    if (isInText) {
      if (character === '\n') return null
      if (character === '\\') at++
      else if (character === '"') isInText = false
    } else if (character === '{') {
      if (depth++ === 0) start = at
    } else if (depth === 0) {
      if (character.trim() !== '') return null
    } else if (character === '"') isInText = true
    else if (character === '}' && --depth === 0) objects.push(text.slice(start, at + 1))
  }
  return depth === 0 && !isInText ? objects : null
}

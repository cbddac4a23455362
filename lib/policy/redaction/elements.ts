import { isSpace } from './characters.js'
import type { Splice } from './splice.js'

const SLASH = '/'
const CDATA = '<![CDATA['
const CDATA_END = ']]>'

/** The findings about the elements of one text. */
export interface ElementScan {
  /** An element did not end: no other one is followed to its end, which would read the text again and again. */
  isUnbalanced: boolean
}

/** Where the content of an XML element starts whose name ends here; null when this is none, or an empty one. */
export function elementContent (text: string, nameEnd: number): number | null {
  for (let i = nameEnd; i < text.length; i++) {
    if (text[i] === '<') return null
    if (text[i] === '>') return text[i - 1] === SLASH ? null : i + 1
  }
  return null
}

/** Where the closing tag of the element stands whose content starts here; -1 when it is not closed. */
function closingTag (text: string, content: number): number {
  let depth = 0
  for (let at = text.indexOf('<', content); at >= 0; at = text.indexOf('<', at)) {
    if (text.startsWith(CDATA, at)) {
      at = text.indexOf(CDATA_END, at)
    } else if (text[at + 1] === SLASH) {
      if (depth === 0) return at
      depth--
      at++
    } else {
      at = text.indexOf('>', at)
      if (at >= 0 && text[at - 1] !== SLASH) depth++
    }
    if (at < 0) return -1
  }
  return -1
}

/**
 * Replaces the content of an element, other elements in it included; returns where it ends. An element that is not
 * closed ends with the next tag, or with the text when a tag is what it begins with. Null: no tag follows.
 */
export function redactElement (
  text: string, content: number, by: string, splice: Splice, scan: ElementScan
): number | null {
  let end = scan.isUnbalanced ? -1 : closingTag(text, content)
  if (end < 0) scan.isUnbalanced = true
  let start = content
  while (isSpace(text.charCodeAt(start))) start++
  if (end < 0) end = text.indexOf('<', start)
  if (end < 0) return null
  if (end === start && !text.startsWith('</', start)) end = text.length
  const next = end
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--
  if (end > start) splice.replace(start, end, by)
  return next
}

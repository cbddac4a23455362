const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const COLON = 0x3a
const BACKSLASH = 0x5c

export interface JsonEdit {
  /**
   * The name to put in place of the name of this member; undefined: it is edited as a string.
   * @param depth 1 for a member of the outermost object or array, then 2 …
   */
  name? (name: string, depth: number): string | undefined
  /** JSON to put in place of the value of this member; undefined: the value itself is edited. */
  member? (name: string): string | undefined
  /** The text to put in place of a string, which may be the name of a member. */
  string? (text: string): string
  /** JSON to put in place of a number; undefined: it stays. */
  number? (literal: string): string | undefined
  /** Members that the object gets, or whose values are replaced when it has them: name to JSON. Only for an object. */
  add?: ReadonlyMap<string, string>
}

/** Whether the text is well-formed JSON, of any depth. */
export function isJson (text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Whether the first character that is no space is one of these characters. */
export function startsWithAny (text: string, characters: string): boolean {
  const at = skipSpace(text, 0)
  return at < text.length && characters.includes(text[at]!)
}

function isSpace (code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d)
}

function isDigit (code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

function skipSpace (json: string, at: number): number {
  while (isSpace(json.charCodeAt(at))) at++
  return at
}

/** The index after the closing quote of a string. */
function stringEnd (json: string, start: number): number {
  let from = start + 1
  for (;;) {
    const at = json.indexOf('"', from)
    let before = at
    while (json.charCodeAt(before - 1) === BACKSLASH && before > from) before--
    if ((at - before) % 2 === 0) return at + 1
    from = at + 1
  }
}

function literalEnd (json: string, start: number): number {
  let end = start
  for (; end < json.length; end++) {
    const code = json.charCodeAt(end)
    if (code === COMMA || isSpace(code) || json[end] === '}' || json[end] === ']') break
  }
  return end
}

function valueEnd (json: string, start: number): number {
  if (json.charCodeAt(start) === QUOTE) return stringEnd(json, start)
  if (json[start] !== '{' && json[start] !== '[') return literalEnd(json, start)
  let depth = 0
  for (let i = start; ;) {
    const character = json[i]
    if (character === '"') {
      i = stringEnd(json, i)
      continue
    }
    i++
    if (character === '{' || character === '[') depth++
    else if ((character === '}' || character === ']') && --depth === 0) return i
  }
}

function decode (literal: string): string {
  return literal.includes('\\') ? JSON.parse(literal) as string : literal.slice(1, -1)
}

class Rewriter {
  readonly #json: string
  readonly #edit: JsonEdit
  readonly #additions: Map<string, string>
  #done = ''
  #copied = 0
  #depth = 0
  #members = 0

  constructor (json: string, edit: JsonEdit) {
    this.#json = json
    this.#edit = edit
    this.#additions = new Map(edit.add)
  }

  run (): string {
    const json = this.#json
    for (let i = 0; i < json.length;) {
      const code = json.charCodeAt(i)
      if (code === QUOTE) i = this.#string(i)
      else if (code === MINUS || isDigit(code)) i = this.#number(i)
      else i = this.#punctuation(i)
    }
    return this.#copied === 0 ? json : this.#done + json.slice(this.#copied)
  }

  #replace (start: number, end: number, by: string): void {
    this.#done += this.#json.slice(this.#copied, start) + by
    this.#copied = end
  }

  #string (start: number): number {
    const json = this.#json
    const end = stringEnd(json, start)
    const text = decode(json.slice(start, end))
    const colon = skipSpace(json, end)
    const isName = json.charCodeAt(colon) === COLON
    const edited = (isName ? this.#edit.name?.(text, this.#depth) : undefined) ?? this.#edit.string?.(text) ?? text
    if (edited !== text) this.#replace(start, end, JSON.stringify(edited))
    return isName ? this.#member(text, skipSpace(json, colon + 1)) : end
  }

  /** @param value where the value of the member starts */
  #member (name: string, value: number): number {
    let replacement = this.#edit.member?.(name)
    if (this.#depth === 1) {
      this.#members++
      const added = this.#edit.add?.get(name)
      if (added !== undefined) {
        replacement = added
        this.#additions.delete(name)
      }
    }
    if (replacement === undefined) return value
    const end = valueEnd(this.#json, value)
    this.#replace(value, end, replacement)
    return end
  }

  #number (start: number): number {
    const end = literalEnd(this.#json, start)
    const replacement = this.#edit.number?.(this.#json.slice(start, end))
    if (replacement !== undefined) this.#replace(start, end, replacement)
    return end
  }

  #punctuation (at: number): number {
    const character = this.#json[at]
    if (character === '{' || character === '[') this.#depth++
    else if ((character === '}' || character === ']') && --this.#depth === 0) this.#append(at)
    return at + 1
  }

  #append (closing: number): void {
    if (this.#additions.size === 0) return
    const members = Array.from(this.#additions, ([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')
    this.#replace(closing, closing, this.#members > 0 ? `,${members}` : members)
  }
}

/**
 * Edits JSON where it stands: parts that are not edited keep their form, their order, repeated members and the digits
 * of numbers. One pass, no recursion.
 * @param json well-formed
 */
export function editJson (json: string, edit: JsonEdit): string {
  return new Rewriter(json, edit).run()
}

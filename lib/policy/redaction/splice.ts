/** Stands in place of every redacted part. */
export const REDACTED = '[redacted]'

/** Replaces parts of a text, from left to right; a text without a replaced part comes back as it is. */
export class Splice {
  readonly #text: string
  #done = ''
  #from = 0
  #changed = false

  constructor (text: string) {
    this.#text = text
  }

  /** @param start not before the end of the part replaced last */
  replace (start: number, end: number, by: string): void {
    this.#done += this.#text.slice(this.#from, start) + by
    this.#from = end
    this.#changed = true
  }

  finish (): string {
    return this.#changed ? this.#done + this.#text.slice(this.#from) : this.#text
  }
}

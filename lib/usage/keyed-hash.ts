/**
 * HalfSipHash-2-4 with 64 bits of output: who does not know the key cannot choose texts whose hashes collide.
 * {@link https://github.com/veorq/SipHash}
 */
export class KeyedHash {
  /** The halves of the hash, after `end`. */
  high = 0
  low = 0
  readonly #key0: number
  readonly #key1: number
  #v0 = 0
  #v1 = 0
  #v2 = 0
  #v3 = 0
  #words = 0

  constructor ([key0, key1]: readonly [number, number]) {
    this.#key0 = key0 | 0
    this.#key1 = key1 | 0
  }

  start (): this {
    this.#v0 = this.#key0
    this.#v1 = this.#key1 ^ 0xee
    this.#v2 = 0x6c796765 ^ this.#key0
    this.#v3 = 0x74656462 ^ this.#key1
    this.#words = 0
    return this
  }

  /** Hashes the UTF-16 units of the text, two a word, behind their number. */
  text (text: string): this {
    const { length } = text
    this.word(length)
    let i = 0
    for (; i + 1 < length; i += 2) this.word(text.charCodeAt(i) | text.charCodeAt(i + 1) << 16)
    if (i < length) this.word(text.charCodeAt(i))
    return this
  }

  word (word: number): this {
    this.#words++
    this.#v3 ^= word
    this.#rounds(2)
    this.#v0 ^= word
    return this
  }

  end (): void {
    this.word(this.#words << 26)
    this.#v2 ^= 0xee
    this.#rounds(4)
    this.low = this.#v1 ^ this.#v3
    this.#v1 ^= 0xdd
    this.#rounds(4)
    this.high = this.#v1 ^ this.#v3
  }

  #rounds (count: number): void {
    let [v0, v1, v2, v3] = [this.#v0, this.#v1, this.#v2, this.#v3]
    for (let i = 0; i < count; i++) {
      v0 = (v0 + v1) | 0
      v1 = v1 << 5 | v1 >>> 27
      v1 ^= v0
      v0 = v0 << 16 | v0 >>> 16
      v2 = (v2 + v3) | 0
      v3 = v3 << 8 | v3 >>> 24
      v3 ^= v2
      v0 = (v0 + v3) | 0
      v3 = v3 << 7 | v3 >>> 25
      v3 ^= v0
      v2 = (v2 + v1) | 0
      v1 = v1 << 13 | v1 >>> 19
      v1 ^= v2
      v2 = v2 << 16 | v2 >>> 16
    }
    this.#v0 = v0
    this.#v1 = v1
    this.#v2 = v2
    this.#v3 = v3
  }
}

const BRACKETS = /[[\]]/

/** Names of fields whose values are redacted; case does not count. */
export class FieldNames {
  readonly #names: ReadonlySet<string>
  readonly #longest: number

  constructor (names: readonly string[]) {
    this.#names = new Set(names.map(name => name.toLowerCase()))
    this.#longest = Math.max(...names.map(name => name.length))
  }

  /**
   * Whether this is one of them, a path that ends with one (`user.password`), or the name that a form gives to a part
   * of one (`password[]`, `user[password]`).
   */
  has (name: string): boolean {
    if (name.includes('[')) return name.split(BRACKETS).some(part => this.has(part))
    return this.#holds(name) || this.#holds(name.slice(name.lastIndexOf('.') + 1))
  }

  #holds (name: string): boolean {
    return name.length <= this.#longest && this.#names.has(name.toLowerCase())
  }
}

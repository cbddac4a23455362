import type { DeadLetter, DeadLetterFilter, DeadLetters } from './spool.js'

const PAGE = 100

/** What a backend does for its dead letters; each call is one atomic step per letter. */
export interface LetterStore {
  /** The letters after this id, oldest first; from the start for null. */
  page (after: string | null, limit: number): Promise<DeadLetter[]>
  get (id: string): Promise<DeadLetter | null>
  /** Appends the letter again and takes it out; false when it is gone already. */
  redrive (letter: DeadLetter): Promise<boolean>
  /** Takes them out, counting them as evicted if so; returns those that were still there. */
  remove (letters: DeadLetter[], evicted: boolean): Promise<DeadLetter[]>
  size (): Promise<{ letters: number, bytes: number }>
}

export interface DeadLetterLimits {
  deadLetterMaxAgeMs: number
  deadLetterMaxBytes: number
}

export function createDeadLetters (store: LetterStore, limits: DeadLetterLimits): DeadLetters {
  return {
    async list (filter, { limit, cursor }) {
      const found: DeadLetter[] = []
      for await (const letter of select(store, filter, cursor)) {
        if (found.push(letter) > limit) break
      }
      const deadLetters = found.slice(0, limit)
      return { deadLetters, next: found.length > limit ? deadLetters.at(-1)?.id ?? null : null }
    },

    get: id => store.get(id),

    async redrive (filter) {
      const startedAt = Date.now()
      let redriven = 0
      for await (const letter of select(store, filter)) {
        // What dies again while this runs is not redriven again.
        if (letter.at > startedAt) break
        if (letter.reason !== 'corrupt' && await store.redrive(letter)) redriven++
      }
      return redriven
    },

    async delete (filter) {
      const startedAt = Date.now()
      let deleted = 0
      for await (const letter of select(store, filter)) {
        if (letter.at > startedAt) break
        deleted += (await store.remove([letter], false)).length
      }
      return deleted
    },

    size: () => store.size(),

    async evict () {
      const cutoff = Date.now() - limits.deadLetterMaxAgeMs
      let excess = (await store.size()).bytes - limits.deadLetterMaxBytes
      const evicted = { letters: 0, items: 0 }
      for await (const letter of select(store, {})) {
        if (letter.at >= cutoff && excess <= 0) break
        excess -= Buffer.byteLength(letter.line)
        for (const { items } of await store.remove([letter], true)) {
          evicted.letters++
          evicted.items += items
        }
      }
      return evicted
    }
  }
}

async function * select (store: LetterStore, filter: DeadLetterFilter, cursor?: string): AsyncGenerator<DeadLetter> {
  if (filter.ids !== undefined) {
    for (const id of [...new Set(filter.ids)].sort()) {
      const letter = cursor === undefined || id > cursor ? await store.get(id) : null
      if (letter !== null && matches(letter, filter)) yield letter
    }
    return
  }
  let after = cursor ?? null
  for (;;) {
    const page = await store.page(after, PAGE)
    for (const letter of page) if (matches(letter, filter)) yield letter
    if (page.length < PAGE) return
    after = page.at(-1)!.id
  }
}

function matches (letter: DeadLetter, { kind, destination, reason }: DeadLetterFilter): boolean {
  return (kind === undefined || letter.kind === kind) &&
    (destination === undefined || letter.destination === destination) &&
    (reason === undefined || letter.reason === reason)
}

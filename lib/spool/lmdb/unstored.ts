import type { Append, BatchLimits, Depth, Kind, SpoolRecord } from '../spool.js'

/** Appends of one destination, gathered so that they share entries. */
export interface Gathered {
  kind: Kind
  destination: string
  records: SpoolRecord[]
  items: number
  /** What they count against the batch limit of their kind. */
  bytes: number
  lineBytes: number
  urgent: boolean
  /** Unix milliseconds of the oldest. */
  appendedAt: number
}

/** Puts appends of one destination together. */
export class Gathering {
  readonly #byName = new Map<string, Gathered>()

  get all (): Gathered[] {
    return [...this.#byName.values()]
  }

  get isEmpty (): boolean {
    return this.#byName.size === 0
  }

  /** @returns the destination with it */
  add ({ kind, destination, records, urgent = false }: Append, lineBytes: number, appendedAt: number): Gathered {
    const gathered = this.#gathered(kind, destination, appendedAt)
    for (const record of records) {
      gathered.records.push(record)
      gathered.items += record.items
      gathered.bytes += record.bytes
    }
    gathered.lineBytes += lineBytes
    gathered.urgent ||= urgent
    return gathered
  }

  get (kind: Kind, destination: string): Gathered | undefined {
    return this.#byName.get(`${kind}:${destination}`)
  }

  #gathered (kind: Kind, destination: string, appendedAt: number): Gathered {
    const name = `${kind}:${destination}`
    let gathered = this.#byName.get(name)
    if (gathered === undefined) {
      gathered = { kind, destination, records: [], items: 0, bytes: 0, lineBytes: 0, urgent: false, appendedAt }
      this.#byName.set(name, gathered)
    }
    return gathered
  }
}

/** What the journal holds and the tables do not yet: as durable as what they hold, and not to be leased before they do. */
export class Unstored {
  /** Youngest frame of the journal that this holds, or has held. */
  frame = 0
  readonly #lingerMs: number
  readonly #limits: Record<Kind, BatchLimits>
  #gathering = new Gathering()
  /** On their way into the tables. */
  #leaving: Gathered[] = []
  #lineBytes = 0
  /** Kinds of which a full batch waits. */
  readonly #pressing = new Set<Kind>()

  constructor (lingerMs: number, limits: Record<Kind, BatchLimits>) {
    this.#lingerMs = lingerMs
    this.#limits = limits
  }

  get isEmpty (): boolean {
    return this.#gathering.isEmpty && this.#leaving.length === 0
  }

  get items (): number {
    return this.#all().reduce((sum, { items }) => sum + items, 0)
  }

  get lineBytes (): number {
    return this.#lineBytes
  }

  /**
   * @param stored what the tables have of the destination that no lease holds
   * @returns true when a full batch waits of the first destination of this kind
   */
  add (append: Append, lineBytes: number, appendedAt: number, stored: BatchLimits): boolean {
    const { items, bytes } = this.#gathering.add(append, lineBytes, appendedAt)
    this.#lineBytes += lineBytes
    const limits = this.#limits[append.kind]
    if (this.#pressing.has(append.kind) || (items + stored.items < limits.items && bytes + stored.bytes < limits.bytes)) return false
    this.#pressing.add(append.kind)
    return true
  }

  /** Hands all of it out, to be stored now; until `stored` or `failed` it counts as before. */
  leave (): Gathered[] {
    this.#leaving = this.#gathering.all
    this.#gathering = new Gathering()
    this.#pressing.clear()
    return this.#leaving
  }

  /** What has left is in the tables. */
  stored (): void {
    for (const { lineBytes } of this.#leaving) this.#lineBytes -= lineBytes
    this.#leaving = []
  }

  /** What has left is not in the tables; it goes before what has come since. */
  failed (): void {
    const gathering = new Gathering()
    for (const gathered of [...this.#leaving, ...this.#gathering.all]) gathering.add(gathered, gathered.lineBytes, gathered.appendedAt)
    this.#gathering = gathering
    this.#leaving = []
  }

  /** Milliseconds until something of this kind is due; null when there is nothing. */
  nextDueMs (kind: Kind, now: number): number | null {
    if (this.#pressing.has(kind)) return 0
    const times = this.#all().filter(gathered => gathered.kind === kind).map(({ appendedAt }) => appendedAt)
    return times.length === 0 ? null : Math.max(0, Math.min(...times) + this.#lingerMs - now)
  }

  depth (kind: Kind | undefined, now: number): Depth {
    const depth: Depth = { records: 0, items: 0, bytes: 0, oldestAgeMs: 0 }
    for (const gathered of this.#all()) {
      if (kind !== undefined && gathered.kind !== kind) continue
      depth.records += gathered.records.length
      depth.items += gathered.items
      depth.bytes += gathered.lineBytes
      depth.oldestAgeMs = Math.max(depth.oldestAgeMs, now - gathered.appendedAt)
    }
    return depth
  }

  #all (): Gathered[] {
    return [...this.#leaving, ...this.#gathering.all]
  }
}

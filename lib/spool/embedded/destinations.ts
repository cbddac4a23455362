import type { MonotonicMs } from '../../../schemas/common.js'
import type { Kind } from '../../../schemas/kinds.js'
import { createDestination, type Destination } from './destination.js'

/** The destinations of the spool, by name and by id; forgets a destination some time after its last entry is gone. */
export class Destinations {
  readonly #byName = new Map<string, Destination>()
  readonly #byId = new Map<number, Destination>()
  /** Destinations without entries, to be forgotten as soon as nothing refers to them. */
  readonly #emptied = new Set<Destination>()
  #nextId = 1

  /** Takes in a destination of the table of names. */
  load (id: number, kind: Kind, name: string): void {
    this.#add(createDestination(id, kind, name, true))
  }

  /** Call it once all stored entries are taken in. */
  loaded (): void {
    for (const destination of this.#byId.values()) if (destination.stored === 0) this.#emptied.add(destination)
  }

  find (kind: Kind, name: string): Destination | undefined {
    return this.#byName.get(`${kind}:${name}`)
  }

  findById (id: number): Destination | undefined {
    return this.#byId.get(id)
  }

  findOrCreate (kind: Kind, name: string): Destination {
    return this.find(kind, name) ?? this.#add(createDestination(this.#nextId, kind, name, false))
  }

  all (): Iterable<Destination> {
    return this.#byId.values()
  }

  /** It has entries again. */
  filled (destination: Destination): void {
    this.#emptied.delete(destination)
  }

  /** Its last entry is gone. */
  emptied (destination: Destination): void {
    this.#emptied.add(destination)
  }

  /** Empty destinations that are not held, but for those in `except`. */
  forgettable (except: Set<Destination>, now: MonotonicMs): Destination[] {
    return [...this.#emptied].filter(destination =>
      destination.stored === 0 && destination.holdUntil <= now && !except.has(destination))
  }

  forget (destinations: Destination[]): void {
    for (const destination of destinations) {
      this.#emptied.delete(destination)
      this.#byName.delete(`${destination.kind}:${destination.name}`)
      this.#byId.delete(destination.id)
    }
  }

  #add (destination: Destination): Destination {
    this.#nextId = Math.max(this.#nextId, destination.id + 1)
    this.#byName.set(`${destination.kind}:${destination.name}`, destination)
    this.#byId.set(destination.id, destination)
    return destination
  }
}

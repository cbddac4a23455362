import type { StoredDatum } from '../../items/item.js'
import { AS_IT_IS, type Collapse } from './series-table.js'

/** What becomes of a data point of a series; indexes are those of its own dimensions. */
export interface Known {
  /** Whether the name of its metric is folded. */
  name: boolean
  dimensions: Collapse
}

export const UNCHANGED: Known = { name: false, dimensions: AS_IT_IS }

/** Characters of names and values, and what a node takes beside them; when there are more, all is forgotten. */
const MAX_SIZE = 32_000_000
const NODE_SIZE = 200

/** The dimensions so far; the next one leads on by its name and its value. */
interface Node {
  known: Known | undefined
  next: Map<string, Map<string, Node>> | undefined
}

interface Metric extends Node {
  /** Whether its name is folded; undefined: nobody has asked. */
  folded: boolean | undefined
}

/** Remembers what became of each series, as a tree: no key is put together to look a series up. */
export class KnownSeries {
  readonly #maxSize: number
  readonly #scopes = new Map<string, Map<string, Metric>>()
  #size = 0

  constructor (maxSize = MAX_SIZE) {
    this.#maxSize = maxSize
  }

  clear (): void {
    this.#scopes.clear()
    this.#size = 0
  }

  /** Looks up series of one scope. */
  reader (scope: string): (datum: StoredDatum) => Known | undefined {
    const metrics = this.#scopes.get(scope)
    if (metrics === undefined) return () => undefined
    return ({ MetricName, Dimensions }) => {
      let node: Node | undefined = metrics.get(MetricName)
      if (Dimensions === undefined) return node?.known
      for (let i = 0; i < Dimensions.length && node !== undefined; i++) {
        node = node.next?.get(Dimensions[i]!.Name)?.get(Dimensions[i]!.Value)
      }
      return node?.known
    }
  }

  set (scope: string, { MetricName, Dimensions = [] }: StoredDatum, known: Known): void {
    let node: Node = this.#metric(scope, MetricName)
    for (const { Name, Value } of Dimensions) {
      node.next ??= new Map()
      const values = this.#child(node.next, Name, () => new Map<string, Node>())
      node = this.#child(values, Value, (): Node => ({ known: undefined, next: undefined }))
    }
    node.known = known
    if (this.#size > this.#maxSize) this.clear()
  }

  /** Whether the name of a metric is folded; undefined when nobody has asked. */
  isFolded (scope: string, name: string): boolean | undefined {
    return this.#scopes.get(scope)?.get(name)?.folded
  }

  setFolded (scope: string, name: string, folded: boolean): void {
    this.#metric(scope, name).folded = folded
  }

  #metric (scope: string, name: string): Metric {
    const metrics = this.#child(this.#scopes, scope, () => new Map<string, Metric>())
    return this.#child(metrics, name, () => ({ known: undefined, next: undefined, folded: undefined }))
  }

  #child<Child> (children: Map<string, Child>, key: string, create: () => Child): Child {
    let child = children.get(key)
    if (child === undefined) {
      child = create()
      children.set(key, child)
      this.#size += key.length + NODE_SIZE
    }
    return child
  }
}

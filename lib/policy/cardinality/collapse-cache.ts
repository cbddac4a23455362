import type { StoredDatum } from '../../items/item.js'
import { AS_IT_IS, type Collapse } from './series-table.js'

/** The series that the data points of a series go into; the indexes are indexes of the data point's dimensions. */
export interface DatumCollapse {
  /** Whether the name of the metric is collapsed. */
  name: boolean
  dimensions: Collapse
}

export const UNCHANGED: DatumCollapse = { name: false, dimensions: AS_IT_IS }

/** Characters of names and values, and the size of a node beside them; when there are more, all is forgotten. */
const MAX_SIZE = 32_000_000
const NODE_SIZE = 200

/** The dimensions so far; the next one leads on by its name and its value. */
interface Node {
  collapse: DatumCollapse | undefined
  next: Map<string, Map<string, Node>> | undefined
}

interface MetricNode extends Node {
  /** Whether the name is collapsed; undefined while no table has been asked. */
  nameCollapsed: boolean | undefined
}

/** Remembers the collapse of each series, as a tree: no key is put together to look a series up. */
export class CollapseCache {
  readonly #maxSize: number
  readonly #scopes = new Map<string, Map<string, MetricNode>>()
  #size = 0

  constructor (maxSize = MAX_SIZE) {
    this.#maxSize = maxSize
  }

  clear (): void {
    this.#scopes.clear()
    this.#size = 0
  }

  /** Looks up series of one scope. */
  reader (scope: string): (datum: StoredDatum) => DatumCollapse | undefined {
    const metrics = this.#scopes.get(scope)
    if (metrics === undefined) return () => undefined
    return ({ MetricName, Dimensions }) => {
      let node: Node | undefined = metrics.get(MetricName)
      if (Dimensions === undefined) return node?.collapse
      for (let i = 0; i < Dimensions.length && node !== undefined; i++) {
        node = node.next?.get(Dimensions[i]!.Name)?.get(Dimensions[i]!.Value)
      }
      return node?.collapse
    }
  }

  set (scope: string, { MetricName, Dimensions = [] }: StoredDatum, collapse: DatumCollapse): void {
    let node: Node = this.#metric(scope, MetricName)
    for (const { Name, Value } of Dimensions) {
      node.next ??= new Map()
      const values = this.#child(node.next, Name, () => new Map<string, Node>())
      node = this.#child(values, Value, (): Node => ({ collapse: undefined, next: undefined }))
    }
    node.collapse = collapse
    if (this.#size > this.#maxSize) this.clear()
  }

  /** Whether the name of a metric is collapsed; undefined while no table has been asked. */
  isNameCollapsed (scope: string, name: string): boolean | undefined {
    return this.#scopes.get(scope)?.get(name)?.nameCollapsed
  }

  setNameCollapsed (scope: string, name: string, collapsed: boolean): void {
    this.#metric(scope, name).nameCollapsed = collapsed
  }

  #metric (scope: string, name: string): MetricNode {
    const metrics = this.#child(this.#scopes, scope, () => new Map<string, MetricNode>())
    return this.#child(metrics, name, () => ({ collapse: undefined, next: undefined, nameCollapsed: undefined }))
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

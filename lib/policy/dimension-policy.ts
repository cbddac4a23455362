import type { UnknownDimensions } from '../../schemas/applications.js'
import type { StoredDatum } from '../items/item.js'
import { InvalidItem } from '../items/item-error.js'

export type Dimension = NonNullable<StoredDatum['Dimensions']>[number]

/** The value of what is folded, and the name of what is folded whole. */
export const OTHER = '__other__'

export interface DimensionRules {
  /** Names that every data point must have; they are allowed. */
  required?: readonly string[] | undefined
  /** Absent: every name is. */
  allowed?: readonly string[] | undefined
  /** What is done with a name that is not allowed; absent: drop. */
  unknown?: UnknownDimensions | undefined
}

/** The dimensions of a data point as an application wants them. */
export interface DimensionPolicy {
  /**
   * Returns the dimensions that it was given when nothing is to be changed.
   * @param path of the dimensions, for the message
   * @throws Refusal invalid-dimension
   */
  apply (dimensions: Dimension[], path: string): Dimension[]
}

function requireNames (required: readonly string[], dimensions: Dimension[], path: string): void {
  for (const name of required) {
    if (!dimensions.some(({ Name }) => Name === name)) throw new InvalidItem('invalid-dimension', `${path} must have the dimension "${name}".`)
  }
}

/**
 * Null when every dimension is taken as it comes.
 * @param onFolded called for each value that is folded
 */
export function createDimensionPolicy ({ required = [], allowed, unknown = 'drop' }: DimensionRules, onFolded: () => void): DimensionPolicy | null {
  const known = allowed === undefined || unknown === 'keep' ? null : new Set([...allowed, ...required])
  if (known === null && required.length === 0) return null

  function treat (dimension: Dimension, path: string): Dimension[] {
    if (known!.has(dimension.Name)) return [dimension]
    if (unknown === 'refuse') throw new InvalidItem('invalid-dimension', `${path} must not have the dimension "${dimension.Name}".`)
    if (unknown === 'drop') return []
    onFolded()
    return [{ Name: dimension.Name, Value: OTHER }]
  }

  return {
    apply (dimensions, path) {
      requireNames(required, dimensions, path)
      if (known === null || dimensions.every(({ Name }) => known.has(Name))) return dimensions
      return dimensions.flatMap(dimension => treat(dimension, path))
    }
  }
}

import type { Application } from '../../schemas/applications.js'
import type { StoredDatum } from '../items/item.js'
import { InvalidItem } from '../items/item-error.js'

export type Dimension = NonNullable<StoredDatum['Dimensions']>[number]
export type DimensionSettings = Application['dimensions']

/** The value of a collapsed dimension, and the name of a collapsed metric. */
export const OTHER = '__other__'
/** In place of the set of allowed names. */
const EVERY_NAME = 'every name'

/** The dimensions of a data point as an application wants them. */
export interface DimensionPolicy {
  /**
   * Returns the dimensions that it was given when nothing is to be changed.
   * @param path of the dimensions, for the message
   * @throws InvalidItem invalid-dimension
   */
  apply (dimensions: Dimension[], path: string): Dimension[]
}

function requireNames (required: readonly string[], dimensions: Dimension[], path: string): void {
  for (const name of required) {
    if (!dimensions.some(({ Name }) => Name === name)) {
      throw new InvalidItem('invalid-dimension', `${path} must have the dimension "${name}".`)
    }
  }
}

/**
 * Null when every dimension is taken as it comes.
 * @param onCollapsed called for each value that is collapsed into OTHER, which the setting `fold` asks for
 */
export function createDimensionPolicy (
  { required = [], allowed, unknown = 'drop' }: DimensionSettings, onCollapsed: () => void
): DimensionPolicy | null {
  const known = allowed === undefined || unknown === 'keep' ? EVERY_NAME : new Set([...allowed, ...required])
  if (known === EVERY_NAME && required.length === 0) return null

  function treatUnknown (dimension: Dimension, path: string): Dimension[] {
    if (unknown === 'refuse') {
      throw new InvalidItem('invalid-dimension', `${path} must not have the dimension "${dimension.Name}".`)
    }
    if (unknown === 'drop') return []
    onCollapsed()
    return [{ Name: dimension.Name, Value: OTHER }]
  }

  return {
    apply (dimensions, path) {
      requireNames(required, dimensions, path)
      if (known === EVERY_NAME || dimensions.every(({ Name }) => known.has(Name))) return dimensions
      return dimensions.flatMap(dimension => known.has(dimension.Name) ? [dimension] : treatUnknown(dimension, path))
    }
  }
}

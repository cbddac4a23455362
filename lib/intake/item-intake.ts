import type { UnixMs } from '../../schemas/common.js'
import type { Kind } from '../../schemas/kinds.js'
import { InvalidItem } from '../items/item-error.js'
import type { ReceiptRef } from '../spool/record.js'
import type { SpoolRecord } from '../spool/spool.js'
import type { IntakeContext } from './intake-context.js'
import { RejectedItems } from './rejected-items.js'
import type { RequestContent } from './request-digest.js'

/** The items of a list, by whether CloudWatch would take them. */
export interface PartitionedItems<Item> {
  /** In the order of the list. */
  valid: Item[]
  /** Of each valid item, its index in the request. */
  indexes: number[]
  invalid: RejectedItems
}

/** A request as it came: its JSON, and the timestamp of its items without one. */
export interface VerbatimRequest {
  body: string
  receivedAt: UnixMs
}

export interface ParsedItems<Item> extends PartitionedItems<Item> {
  destination: string
  /** Null unless the JSON of the request holds exactly the valid items, and no token. */
  verbatim: VerbatimRequest | null
}

/**
 * How requests with items of one kind become records. One object serves every request of its kind, and keeps nothing of
 * a request: one method hands its findings to the next in `ParsedItems`.
 *
 * For each request `Intake` calls `lookUp`, `contentOf` when it bears an idempotency key, and `parse`; `refused` for
 * invalid items; when at least one item is valid, `collapse` and `encode`; and `stored` when the records are in the
 * spool and were not there before.
 */
export interface ItemIntake<Request, Item> {
  readonly kind: Kind
  /** Asks for what `parse` has to know of a request, and does not; no promise when it knows all. */
  lookUp? (request: Request, context: IntakeContext): void | Promise<void>
  /** To be called before `parse`, which may write into the items. */
  contentOf (request: Request): RequestContent
  /**
   * Checks the request, then each item by itself.
   * @throws ApiError for a request that is refused as a whole
   */
  parse (request: Request, context: IntakeContext): ParsedItems<Item>
  /**
   * Replaces the items that are beyond the limits on series, and then forgets the verbatim request. Absent for a kind
   * without series.
   */
  collapse? (parsed: ParsedItems<Item>, context: IntakeContext): void | Promise<void>
  /**
   * The records of the valid items: the request verbatim where that is possible and no receipt is asked for.
   * @param receipt of a request that waits for the delivery; its indexes are those of the valid items
   */
  encode (parsed: ParsedItems<Item>, receipt: ReceiptRef | undefined): SpoolRecord[]
  /** Counts invalid items for their application; must not throw. */
  refused (items: number, context: IntakeContext): void
  /** Counts stored items for their application; must not throw. */
  stored (parsed: ParsedItems<Item>, bytes: number, context: IntakeContext): void
}

/**
 * @param read throws InvalidItem for an item that CloudWatch would not take
 * @param indexes of the items in the request, unless they are all of its items
 */
export function partitionItems<Item> (
  items: readonly unknown[], read: (item: unknown, index: number) => Item, indexes?: readonly number[]
): PartitionedItems<Item> {
  const partitioned: PartitionedItems<Item> = { valid: [], indexes: [], invalid: new RejectedItems() }
  for (let i = 0; i < items.length; i++) {
    const index = indexes === undefined ? i : indexes[i]!
    try {
      partitioned.valid.push(read(items[i], index))
      partitioned.indexes.push(index)
    } catch (error) {
      if (!(error instanceof InvalidItem)) throw error
      partitioned.invalid.add(index, error.reason, error.message)
    }
  }
  return partitioned
}

import type { DeadLetterReason, RejectionReason } from '../../../schemas/reasons.js'
import type { ReceiptUpdate } from '../receipts.js'
import { CorruptRecordError, decodeRecord, encodeRecords, type ReceiptRef } from '../../spool/record.js'
import type { Lease, LeasedRecord, NewDeadLetter, SpoolRecord } from '../../spool/spool.js'
import type { Delivery, DeliveryFailure } from './sink.js'
import { forEachYielding } from './yielding.js'

/** About 1 MB of lines, a few milliseconds. */
const RECORDS_PER_SLICE = 32

interface OpenRecord {
  readonly stored: LeasedRecord
  readonly receipt: ReceiptRef | null
  /** Index of its first item in the lease. */
  readonly first: number
  /** Items whose outcome is not known yet. */
  open: number
}

/**
 * What has become of each item of one lease. An item goes by its index, in the order they were stored in. Every item
 * meets one outcome at most; what has met none when the delivery ends is the remainder, in the same order.
 *
 * Items are not kept: a full lease has ten thousand, and to carry them through its delivery costs V8 more than to decode
 * again the few that nobody takes.
 */
export class LeaseItems<Item> {
  readonly #count: (item: Item) => number
  readonly #records: OpenRecord[] = []
  /** Of each item, the place of its record among them. */
  readonly #homes: Uint32Array
  #size = 0
  /** 1 for items that have met their outcome. */
  readonly #met: Uint8Array
  readonly #receipts = new Map<string, ReceiptUpdate>()
  readonly #deadLetters: NewDeadLetter[] = []
  readonly #rejected: Partial<Record<RejectionReason, number>> = {}
  #delivered = 0
  #decoded: { record: OpenRecord, items: Item[] } | null = null

  private constructor (items: number, count: (item: Item) => number) {
    this.#count = count
    this.#homes = new Uint32Array(items)
    this.#met = new Uint8Array(items)
  }

  /**
   * Decodes the records; one that cannot be read back is a dead letter, and the others go on.
   * @param count bytes that an item counts against the limit of its kind
   * @param visit is shown each item
   * @param take may take in the items of a record as they are stored, which visit is not shown then; false: it has not
   */
  static async open<Item> (lease: Lease, count: (item: Item) => number, visit: (item: Item, index: number) => void, take: (record: LeasedRecord) => boolean = () => false): Promise<LeaseItems<Item>> {
    const opened = new LeaseItems<Item>(lease.records.reduce((sum, { items }) => sum + items, 0), count)
    await forEachYielding(lease.records, RECORDS_PER_SLICE, record => {
      if (take(record)) opened.#add(record, null)
      else opened.#open(record, visit)
    })
    return opened
  }

  #open (stored: LeasedRecord, visit: (item: Item, index: number) => void): void {
    try {
      const { items, receipt } = decodeRecord<Item>(stored)
      const { first } = this.#add(stored, receipt)
      for (let i = 0; i < items.length; i++) visit(items[i]!, first + i)
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error
      this.#deadLetters.push({ reason: 'corrupt', message: error.message, ...asStored(stored) })
    }
  }

  #add (stored: LeasedRecord, receipt: ReceiptRef | null): OpenRecord {
    const record = { stored, receipt, first: this.#size, open: stored.items }
    this.#size += stored.items
    this.#homes.fill(this.#records.push(record) - 1, record.first, this.#size)
    return record
  }

  item (index: number): Item {
    const record = this.#recordOf(index)
    if (this.#decoded?.record !== record) this.#decoded = { record, items: decodeRecord<Item>(record.stored).items }
    return this.#decoded.items[index - record.first]!
  }

  /** @param requestId AWS's id of the call that delivered them */
  deliver (indexes: Iterable<number>, requestId: string | undefined): void {
    for (const index of indexes) {
      this.#meet(index)
      this.#delivered++
      const receipt = this.#receiptOf(index)
      if (receipt === null) continue
      receipt.delivered++
      receipt.requestId ??= requestId ?? null
    }
  }

  /** CloudWatch took the call and rejected this item. */
  reject (index: number, reason: RejectionReason, message: string): void {
    this.#meet(index)
    this.#rejected[reason] = (this.#rejected[reason] ?? 0) + 1
    this.#tellRejected(index, reason, message)
  }

  /** The API refuses this very item, however often it is sent. */
  refuse (index: number, message: string): void {
    this.#meet(index)
    for (const record of encodeRecords([this.item(index)], this.#count)) {
      this.#deadLetters.push({ reason: 'refused', message, ...record })
    }
    this.#tellRejected(index, 'refused', message)
  }

  /** Ends the delivery. */
  close (failure: DeliveryFailure | null): Delivery {
    return {
      settlement: {
        delivered: this.#delivered,
        rejected: this.#rejected,
        deadLetters: this.#deadLetters,
        remainder: this.#records.flatMap(record => this.#remainderOf(record))
      },
      failure,
      receipts: [...this.#receipts.values()]
    }
  }

  /** A record of which nothing has met its outcome goes back as it was stored. */
  #remainderOf ({ stored, receipt, first, open }: OpenRecord): SpoolRecord[] {
    if (open === 0) return []
    if (open === stored.items) return [asStored(stored)]
    const { items } = decodeRecord<Item>(stored)
    const left = [...items.keys()].filter(position => this.#met[first + position] === 0)
    return encodeRecords(
      left.map(position => items[position]!),
      this.#count,
      receipt === null ? undefined : { id: receipt.id, indexes: left.map(position => receipt.indexes[position]!) }
    )
  }

  #recordOf (index: number): OpenRecord {
    return this.#records[this.#homes[index]!]!
  }

  #meet (index: number): void {
    if (this.#met[index] === 1) throw new Error('an item meets exactly one outcome')
    this.#met[index] = 1
    this.#recordOf(index).open--
  }

  #tellRejected (index: number, reason: RejectionReason | DeadLetterReason, message: string): void {
    const { receipt, first } = this.#recordOf(index)
    const place = receipt?.indexes[index - first]
    if (place !== undefined) this.#receiptOf(index)?.rejected.push({ index: place, reason, message })
  }

  #receiptOf (index: number): ReceiptUpdate | null {
    const { receipt } = this.#recordOf(index)
    if (receipt === null) return null
    let update = this.#receipts.get(receipt.id)
    if (update === undefined) {
      update = { id: receipt.id, delivered: 0, requestId: null, rejected: [] }
      this.#receipts.set(receipt.id, update)
    }
    return update
  }
}

function asStored ({ line, items, bytes }: LeasedRecord): SpoolRecord {
  return { line, items, bytes }
}

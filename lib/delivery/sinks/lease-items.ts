import type { DeadLetterReason, RejectionReason } from '../../../schemas/reasons.js'
import type { ReceiptUpdate } from '../receipts.js'
import {
  CorruptRecordError, UnknownVersionError, decodeRecord, encodeRecords, type ReceiptRef
} from '../../spool/record.js'
import type { Lease, LeasedRecord, NewDeadLetter, SpoolRecord, UnreadRecord } from '../../spool/spool.js'
import type { Delivery, DeliveryFailure } from './sink.js'
import { forEachYielding } from './yielding.js'

/** About 1 MB of lines, which take a few milliseconds. */
const RECORDS_PER_SLICE = 32

/** The steps of a sink while a lease is opened. */
export interface LeaseReader<Item> {
  /** Whether a decoded value is an item of this kind; the record of a value that is none is corrupt. */
  isItem (value: unknown): value is Item
  /** Bytes that the item counts against the batch limit of its kind. */
  count (item: Item): number
  /** Takes in a decoded item; items come in the order of their indexes in the lease. */
  add (item: Item, index: number): void
  /**
   * Takes in all items of a record without decoding it.
   * @returns false when the record has to be decoded; none of its items is taken in then
   */
  addStored? (record: LeasedRecord): boolean
}

interface OpenRecord {
  readonly stored: LeasedRecord
  readonly receipt: ReceiptRef | null
  /** Index of its first item in the lease. */
  readonly first: number
  /** Items whose outcome is not known yet. */
  open: number
}

/**
 * The outcome of each item of one lease. An item goes by its index, in the order in which the items were stored. Every
 * item meets one outcome at most; the items without one when the delivery ends are the remainder, in the same order.
 *
 * Decoded items are not kept: a full lease has ten thousand. The few that nobody takes are decoded again.
 */
export class LeaseItems<Item> {
  readonly #reader: LeaseReader<Item>
  readonly #records: OpenRecord[] = []
  /** Of each item, the index of its record. */
  readonly #recordIndexes: Uint32Array
  #size = 0
  /** 1 for items that have met their outcome. */
  readonly #met: Uint8Array
  readonly #receipts = new Map<string, ReceiptUpdate>()
  readonly #deadLetters: NewDeadLetter[] = []
  readonly #unread: UnreadRecord[] = []
  readonly #rejected: Partial<Record<RejectionReason, number>> = {}
  #delivered = 0
  /** The record decoded last. */
  #decoded: { record: OpenRecord, items: Item[] } | null = null

  private constructor (items: number, reader: LeaseReader<Item>) {
    this.#reader = reader
    this.#recordIndexes = new Uint32Array(items)
    this.#met = new Uint8Array(items)
  }

  /**
   * Has every item of the lease read. A record that cannot be read back is a dead letter, one of a later version stays
   * in the spool, and the others go on.
   */
  static async open<Item> (lease: Lease, reader: LeaseReader<Item>): Promise<LeaseItems<Item>> {
    const opened = new LeaseItems<Item>(lease.records.reduce((sum, { items }) => sum + items, 0), reader)
    await forEachYielding(lease.records, RECORDS_PER_SLICE, record => opened.#read(record))
    return opened
  }

  #read (stored: LeasedRecord): void {
    if (this.#reader.addStored?.(stored) === true) this.#add(stored, null)
    else this.#decode(stored)
  }

  #decode (stored: LeasedRecord): void {
    try {
      const { items, receipt } = decodeRecord<Item>(stored)
      if (!items.every(item => this.#reader.isItem(item))) {
        throw new CorruptRecordError('stored record holds a value that is no item of its kind')
      }
      const { first } = this.#add(stored, receipt)
      for (let i = 0; i < items.length; i++) this.#reader.add(items[i]!, first + i)
    } catch (error) {
      if (error instanceof UnknownVersionError) {
        this.#unread.push({ ...asStored(stored), version: error.version })
        return
      }
      if (!(error instanceof CorruptRecordError)) throw error
      this.#deadLetters.push({ reason: 'corrupt', message: error.message, ...asStored(stored) })
    }
  }

  #add (stored: LeasedRecord, receipt: ReceiptRef | null): OpenRecord {
    const record = { stored, receipt, first: this.#size, open: stored.items }
    this.#size += stored.items
    this.#recordIndexes.fill(this.#records.push(record) - 1, record.first, this.#size)
    return record
  }

  item (index: number): Item {
    const record = this.#recordOf(index)
    if (this.#decoded?.record !== record) this.#decoded = { record, items: decodeRecord<Item>(record.stored).items }
    return this.#decoded.items[index - record.first]!
  }

  /** @param requestId AWS's id of the call that delivered the items */
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
    for (const record of encodeRecords([this.item(index)], item => this.#reader.count(item))) {
      this.#deadLetters.push({ reason: 'refused', message, ...record })
    }
    this.#tellRejected(index, 'refused', message)
  }

  /** Ends the delivery: what became of the lease. */
  close (failure: DeliveryFailure | null): Delivery {
    return {
      settlement: {
        delivered: this.#delivered,
        rejected: this.#rejected,
        deadLetters: this.#deadLetters,
        remainder: this.#records.flatMap(record => this.#remainderOf(record)),
        ...(this.#unread.length === 0 ? {} : { unread: this.#unread })
      },
      failure,
      receipts: [...this.#receipts.values()]
    }
  }

  /** A record none of whose items has met its outcome goes back as it was stored. */
  #remainderOf ({ stored, receipt, first, open }: OpenRecord): SpoolRecord[] {
    if (open === 0) return []
    if (open === stored.items) return [asStored(stored)]
    const { items } = decodeRecord<Item>(stored)
    const openPositions = [...items.keys()].filter(position => this.#met[first + position] === 0)
    return encodeRecords(
      openPositions.map(position => items[position]!),
      item => this.#reader.count(item),
      receipt === null
        ? undefined
        : { id: receipt.id, indexes: openPositions.map(position => receipt.indexes[position]!) }
    )
  }

  #recordOf (index: number): OpenRecord {
    return this.#records[this.#recordIndexes[index]!]!
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

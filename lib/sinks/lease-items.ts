import type { DeadLetterReason, RejectionReason } from '../outcome.js'
import type { ReceiptUpdate } from '../receipts.js'
import { CorruptRecordError, decodeRecord, encodeRecords, type ReceiptRef } from '../record.js'
import type { Lease, NewDeadLetter, SpoolRecord } from '../spool/spool.js'
import type { Delivery, DeliveryFailure } from './sink.js'
import { inSlices } from './slices.js'

/** About 1 MB of lines, a few milliseconds. */
const RECORDS_PER_SLICE = 32

/** One item of a lease and where it comes from. */
export interface Entry<Item> {
  readonly item: Item
  readonly record: OpenRecord
  /** Index in the record. */
  readonly position: number
  /** True once its outcome is known. */
  met: boolean
}

interface OpenRecord {
  readonly stored: SpoolRecord
  readonly receipt: ReceiptRef | null
  /** Items whose outcome is not known yet. */
  open: number
}

/**
 * The items of one lease and what has become of each. Every item meets one outcome at most; what has met none when the
 * delivery ends is the remainder, in the order it was stored in.
 */
export class LeaseItems<Item> {
  readonly entries: Array<Entry<Item>> = []
  readonly #count: (item: Item) => number
  readonly #records: OpenRecord[] = []
  readonly #receipts = new Map<string, ReceiptUpdate>()
  readonly #deadLetters: NewDeadLetter[] = []
  readonly #rejected: Partial<Record<RejectionReason, number>> = {}
  #delivered = 0

  private constructor (count: (item: Item) => number) {
    this.#count = count
  }

  /**
   * Decodes the records; one that cannot be read back is a dead letter, and the others go on.
   * @param count bytes that an item counts against the limit of its kind
   */
  static async open<Item> (lease: Lease, count: (item: Item) => number): Promise<LeaseItems<Item>> {
    const opened = new LeaseItems<Item>(count)
    await inSlices(lease.records, RECORDS_PER_SLICE, ({ line, items, bytes }) => opened.#open({ line, items, bytes }))
    return opened
  }

  #open (stored: SpoolRecord): void {
    try {
      const { items, receipt } = decodeRecord<Item>(stored)
      const record = { stored, receipt, open: items.length }
      this.#records.push(record)
      items.forEach((item, position) => this.entries.push({ item, record, position, met: false }))
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error
      this.#deadLetters.push({ reason: 'corrupt', message: error.message, ...stored })
    }
  }

  /** @param requestId AWS's id of the call that delivered them */
  deliver (entries: Iterable<Entry<Item>>, requestId: string | undefined): void {
    for (const entry of entries) {
      this.#meet(entry)
      this.#delivered++
      const receipt = this.#receiptOf(entry)
      if (receipt === null) continue
      receipt.delivered++
      receipt.requestId ??= requestId ?? null
    }
  }

  /** CloudWatch took the call and rejected this item. */
  reject (entry: Entry<Item>, reason: RejectionReason, message: string): void {
    this.#meet(entry)
    this.#rejected[reason] = (this.#rejected[reason] ?? 0) + 1
    this.#tellRejected(entry, reason, message)
  }

  /** The API refuses this very item, however often it is sent. */
  refuse (entry: Entry<Item>, message: string): void {
    this.#meet(entry)
    for (const record of encodeRecords([entry.item], this.#count)) {
      this.#deadLetters.push({ reason: 'refused', message, ...record })
    }
    this.#tellRejected(entry, 'refused', message)
  }

  /** Ends the delivery. */
  close (failure: DeliveryFailure | null): Delivery {
    return {
      settlement: {
        delivered: this.#delivered,
        rejected: this.#rejected,
        deadLetters: this.#deadLetters,
        remainder: this.#remainder()
      },
      failure,
      receipts: [...this.#receipts.values()]
    }
  }

  /** Records of which nothing has met its outcome go back as they were stored. */
  #remainder (): SpoolRecord[] {
    const left = new Map<OpenRecord, Array<Entry<Item>>>()
    for (const entry of this.entries) {
      if (entry.met || entry.record.open === entry.record.stored.items) continue
      const siblings = left.get(entry.record)
      if (siblings === undefined) left.set(entry.record, [entry])
      else siblings.push(entry)
    }
    return this.#records.flatMap(record => {
      if (record.open === record.stored.items) return [record.stored]
      const entries = left.get(record) ?? []
      const { receipt } = record
      return encodeRecords(
        entries.map(entry => entry.item),
        this.#count,
        receipt === null ? undefined : { id: receipt.id, indexes: entries.map(({ position }) => receipt.indexes[position]!) }
      )
    })
  }

  #meet (entry: Entry<Item>): void {
    if (entry.met) throw new Error('an item meets exactly one outcome')
    entry.met = true
    entry.record.open--
  }

  #tellRejected (entry: Entry<Item>, reason: RejectionReason | DeadLetterReason, message: string): void {
    const index = entry.record.receipt?.indexes[entry.position]
    if (index !== undefined) this.#receiptOf(entry)?.rejected.push({ index, reason, message })
  }

  #receiptOf (entry: Entry<Item>): ReceiptUpdate | null {
    const { receipt } = entry.record
    if (receipt === null) return null
    let update = this.#receipts.get(receipt.id)
    if (update === undefined) {
      update = { id: receipt.id, delivered: 0, requestId: null, rejected: [] }
      this.#receipts.set(receipt.id, update)
    }
    return update
  }
}

import type { MetricEnvelope } from '../../schemas/metric.js'
import { ApiError } from '../http/api-error.js'
import type { StoredDatum } from '../items/item.js'
import { namespaceError } from '../items/names.js'
import type { Reading } from '../policy/item-reader.js'
import { encodeRecords, encodeVerbatimDatums, writeDatum, type ReceiptRef } from '../spool/record.js'
import type { SpoolRecord } from '../spool/spool.js'
import type { IntakeContext } from './intake-context.js'
import { partitionItems, type ItemIntake, type ParsedItems } from './item-intake.js'
import type { RequestContent } from './request-digest.js'

export interface MetricsIntakeOptions {
  /** How to read the data points of one request. @throws ApiError for a `sentAt` that is no time */
  readerFor (context: IntakeContext, sentAt: unknown): Reading<StoredDatum>
  /**
   * Replaces the data points, in the array, that are beyond the limits on series; no promise when every series is
   * known.
   */
  collapse (context: IntakeContext, namespace: string, datums: StoredDatum[]): void | Promise<void>
  /** Counts stored data points, and their series, for their application. */
  record (applicationId: string, namespace: string, datums: StoredDatum[], bytes: number): void
  /** Counts invalid data points for their application. */
  recordRefused (applicationId: string, items: number): void
}

/** Takes in data points; their destination is the namespace. */
export class MetricsIntake implements ItemIntake<MetricEnvelope, StoredDatum> {
  readonly kind = 'metrics'
  readonly #options: MetricsIntakeOptions

  constructor (options: MetricsIntakeOptions) {
    this.#options = options
  }

  contentOf ({ params: { Namespace, MetricData } }: MetricEnvelope): RequestContent {
    return { kind: this.kind, destination: [Namespace], items: MetricData }
  }

  parse ({ params, sentAt, accessToken }: MetricEnvelope, context: IntakeContext): ParsedItems<StoredDatum> {
    const { Namespace, MetricData } = params
    const error = namespaceError(Namespace)
    if (error !== null) throw new ApiError('invalidRequest', { message: `params.Namespace ${error}.` })
    context.requireScope('namespaces', Namespace)
    const { read, receivedAt } = this.#options.readerFor(context, sentAt)
    const { valid, indexes, invalid } = partitionItems(MetricData, read)
    const { bodyText } = context
    // A token is never stored.
    const isVerbatim = bodyText !== null && receivedAt !== null && accessToken === undefined && invalid.total === 0
    return {
      destination: Namespace,
      valid,
      indexes,
      invalid,
      verbatim: isVerbatim ? { body: bodyText, receivedAt } : null
    }
  }

  collapse (parsed: ParsedItems<StoredDatum>, context: IntakeContext): void | Promise<void> {
    const { destination, valid, verbatim } = parsed
    if (verbatim === null) return this.#options.collapse(context, destination, valid)
    const asSent = [...valid]
    const keepVerbatim = (): void => {
      if (valid.some((datum, index) => datum !== asSent[index])) parsed.verbatim = null
    }
    const collapsing = this.#options.collapse(context, destination, valid)
    return collapsing === undefined ? keepVerbatim() : collapsing.then(keepVerbatim)
  }

  encode ({ valid, verbatim }: ParsedItems<StoredDatum>, receipt: ReceiptRef | undefined): SpoolRecord[] {
    const record = verbatim === null || receipt !== undefined
      ? null
      : encodeVerbatimDatums(verbatim.body, valid.length, verbatim.receivedAt)
    return record === null ? encodeRecords(valid, writeDatum, receipt) : [record]
  }

  refused (items: number, { application }: IntakeContext): void {
    this.#options.recordRefused(application.id, items)
  }

  stored ({ destination, valid }: ParsedItems<StoredDatum>, bytes: number, { application }: IntakeContext): void {
    this.#options.record(application.id, destination, valid, bytes)
  }
}

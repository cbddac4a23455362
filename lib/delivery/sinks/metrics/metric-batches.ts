import { PUT_METRIC_DATA as LIMIT } from '../../../../schemas/aws-limits.js'

interface Measured {
  /** Bytes of its JSON in the request. */
  bytes: number
}

/** The datums that one call of PutMetricData sends. */
export interface MetricBatch<Datum extends Measured> {
  datums: Datum[]
  /** Bytes of the whole body before compression. */
  bytes: number
}

/** @param datums at least one, together within the limits of a call */
export function metricBatch<Datum extends Measured> (namespace: string, datums: Datum[]): MetricBatch<Datum> {
  const commas = datums.length - 1
  return { datums, bytes: datums.reduce((sum, { bytes }) => sum + bytes, envelopeBytes(namespace) + commas) }
}

/** Fills calls to the limits of PutMetricData, keeping the order. */
export function cutMetricBatches<Datum extends Measured> (
  namespace: string, datums: Datum[]
): Array<MetricBatch<Datum>> {
  const envelope = envelopeBytes(namespace)
  const batches: Array<MetricBatch<Datum>> = []
  let last: MetricBatch<Datum> | undefined
  for (const datum of datums) {
    const added = datum.bytes + 1
    if (last === undefined || last.datums.length === LIMIT.MAX_DATUMS || last.bytes + added > LIMIT.MAX_BYTES) {
      last = { datums: [datum], bytes: envelope + datum.bytes }
      batches.push(last)
    } else {
      last.datums.push(datum)
      last.bytes += added
    }
  }
  return batches
}

function envelopeBytes (namespace: string): number {
  return Buffer.byteLength(JSON.stringify({ Namespace: namespace, MetricData: [] }))
}

/**
 * What the processes of this gateway can do, measured; the figures and the commands behind them are in
 * docs/benchmarks.md and docs/scaling.md. Everything that simulates or plans reads them here.
 */

/** Microseconds of CPU. */
interface Cost {
  perRequest: number
  perItem: number
  /** For each byte of an item. */
  perByte: number
}

export const RATES: {
  /** A web process, from the request to the durable append. */
  web: Record<'logs' | 'metrics', Cost>
  /** Redis, for the same. */
  redisAppend: Record<'logs' | 'metrics', Cost>
  /** A forwarder, from the lease to its settlement: `perItem` and `perByte` to read it, the rest to send it. */
  forwarder: Record<'logs' | 'metrics', { perItem: number, perByte: number, perDatum: number, perValue: number, perCall: number }>
  /** Redis, for the same. */
  redisDeliver: Record<'logs' | 'metrics', { perItem: number }>
  /** Bytes of memory of Redis for each request, and each byte of the lines, that wait in it. */
  redisMemory: { perRequest: number, perByte: number }
} = {
  web: {
    logs: { perRequest: 73, perItem: 4, perByte: 0 },
    metrics: { perRequest: 80, perItem: 6, perByte: 0 }
  },
  redisAppend: {
    logs: { perRequest: 8, perItem: 0.3, perByte: 0 },
    metrics: { perRequest: 8, perItem: 0.3, perByte: 0 }
  },
  forwarder: {
    logs: { perItem: 0.5, perByte: 0.012, perDatum: 0, perValue: 0, perCall: 500 },
    metrics: { perItem: 4, perByte: 0, perDatum: 9, perValue: 0.7, perCall: 500 }
  },
  redisDeliver: { logs: { perItem: 0.3 }, metrics: { perItem: 0.3 } },
  redisMemory: { perRequest: 110, perByte: 1.15 }
}

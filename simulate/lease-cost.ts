import { logRequest, metricRequest, type Request } from './merge.js'
import { RATES } from './rates.js'
import type { Flow, ItemSizes } from './scenario.js'

/** What the delivery of one lease takes. */
export interface LeaseCost {
  calls: number
  /** Microseconds of CPU of the forwarder, of Redis. */
  micros: number
  redisMicros: number
}

/** @param from, to  milliseconds of the oldest and the youngest item */
export function leaseCost (flow: Flow, { counted }: ItemSizes, items: number, from: number, to: number): LeaseCost {
  const { calls, datums, values }: Request = flow.kind === 'logs' ? logRequest(items, counted) : metricRequest(items, flow, from, to)
  const { perItem, perByte, perDatum, perValue, perCall } = RATES.forwarder[flow.kind]
  return {
    calls,
    micros: items * (perItem + perByte * flow.itemBytes) + datums * perDatum + values * perValue + calls * perCall,
    redisMicros: items * RATES.redisDeliver[flow.kind].perItem
  }
}

/** Microseconds of CPU from the request to the durable append. */
export function requestMicros ({ kind, itemsPerRequest, itemBytes }: Flow, rates: typeof RATES.web): number {
  const { perRequest, perItem, perByte } = rates[kind]
  return perRequest + itemsPerRequest * (perItem + perByte * itemBytes)
}

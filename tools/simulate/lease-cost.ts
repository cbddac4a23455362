import { logRequest, metricRequest, type Request } from './merge.js'
import { RATES, SDK, type Cost } from './rates.js'
import type { Flow, FlowKind, ItemSizes } from './scenario.js'

/** The cost of delivering one lease. */
export interface LeaseCost {
  calls: number
  /** Microseconds of CPU of the forwarder, of Redis. */
  micros: number
  redisMicros: number
}

/** @param from, to  milliseconds of the oldest and the youngest item */
export function leaseCost (flow: Flow, { counted }: ItemSizes, items: number, from: number, to: number): LeaseCost {
  const { calls, datums, values }: Request = flow.kind === 'logs'
    ? logRequest(items, counted)
    : metricRequest(items, flow, from, to)
  const requests = items / flow.itemsPerRequest
  const { perCall, perDatum, perValue } = SDK
  return {
    calls,
    micros: requests * requestMicros(flow, RATES.forwarder) + calls * perCall + datums * perDatum + values * perValue,
    redisMicros: requests * requestMicros(flow, RATES.redisDeliver)
  }
}

/** Microseconds of CPU for one request, in one of the processes that it goes through. */
export function requestMicros ({ kind, itemsPerRequest, itemBytes }: Flow, rates: Record<FlowKind, Cost>): number {
  const { perRequest, perItem, perByte } = rates[kind]
  return perRequest + itemsPerRequest * (perItem + perByte * itemBytes)
}

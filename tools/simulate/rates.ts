/**
 * The measured costs of this gateway's processes. MEASURED is to be replaced after each `npm run bench -- capacity`,
 * together with its table in docs/scaling.md; simulation and plan read the rates that are made of it here.
 */

interface Measured {
  /** Microseconds of CPU for a request, in a web process and in Redis. */
  web: number
  redisAppend: number
  /** Bytes for an item that waits: of the memory of Redis, and of the lines that it stores. */
  memory: number
  stored: number
  /** Microseconds of CPU for an item that is delivered, in a forwarder and in Redis. */
  forwarder: number
  redisDeliver: number
}

/** Medians of five rounds, 28 November 2026, 2 cores. */
export const MEASURED = {
  /** Log events: items of a request × bytes of a message. */
  '1 × 100': { web: 77.3, redisAppend: 32.9, memory: 242, stored: 134, forwarder: 7.67, redisDeliver: 7.33 },
  '10 × 100': { web: 93.7, redisAppend: 46.3, memory: 147, stored: 127, forwarder: 3.26, redisDeliver: 2.13 },
  '10 × 1000': { web: 139, redisAppend: 136, memory: 1_240, stored: 1_027, forwarder: 12.9, redisDeliver: 9.18 },
  /** Data points of a request. */
  '1 point': { web: 64.7, redisAppend: 10.6, memory: 194, stored: 149, forwarder: 9.75, redisDeliver: 1 },
  '20 points': { web: 126, redisAppend: 30, memory: 128, stored: 114, forwarder: 2.78, redisDeliver: 0.37 }
} satisfies Record<string, Measured>

/** Microseconds of CPU that the SDK takes for a call, whatever is in it, for each datum, and for each of its Values. */
export const SDK = { perCall: 1_300, perDatum: 9, perValue: 0.7 }

/** Microseconds of CPU. */
export interface Cost {
  perRequest: number
  perItem: number
  /** The cost of each byte of an item as it was sent. */
  perByte: number
}

type Figure = keyof Measured

/** The cost of a request by its items and bytes, from requests with few and many, small and large items. */
function logCost (figure: Figure): Cost {
  const per = ITEM_FIGURES.has(figure) ? 10 : 1
  const one = MEASURED['1 × 100'][figure]
  const ten = MEASURED['10 × 100'][figure] * per
  const large = MEASURED['10 × 1000'][figure] * per
  const perByte = (large - ten) / (10 * (1_000 - 100))
  const perItem = Math.max(0, (ten - one) / 9 - 100 * perByte)
  return { perRequest: one - perItem - 100 * perByte, perItem, perByte }
}

function metricCost (figure: Figure): Cost {
  const one = MEASURED['1 point'][figure]
  const twenty = MEASURED['20 points'][figure] * (ITEM_FIGURES.has(figure) ? 20 : 1)
  const perItem = (twenty - one) / 19
  return { perRequest: one - perItem, perItem, perByte: 0 }
}

/** Figures that are measured for an item, not for a request. */
const ITEM_FIGURES: ReadonlySet<Figure> = new Set(['forwarder', 'redisDeliver'])

const costs = (figure: Figure) => ({ logs: logCost(figure), metrics: metricCost(figure) })

export const RATES = {
  /** The cost of a web process from the request to the durable append, and of Redis for the same. */
  web: costs('web'),
  redisAppend: costs('redisAppend'),
  /** The cost of a forwarder from the lease to its settlement, and of Redis for the same. */
  forwarder: costs('forwarder'),
  redisDeliver: costs('redisDeliver'),
  /** Bytes of the memory of Redis for waiting items; `perByte` counts for each byte of their lines. */
  redisMemory: redisMemory()
}

function redisMemory (): { perRequest: number, perByte: number } {
  const { '1 × 100': one, '10 × 100': ten, '10 × 1000': large } = MEASURED
  const perByte = (large.memory - ten.memory) / (large.stored - ten.stored)
  return { perRequest: one.memory - one.stored * perByte, perByte }
}

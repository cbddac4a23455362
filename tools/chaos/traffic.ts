import type { Random } from '../shared/random.js'

export const GROUPS = ['/chaos/shop', '/chaos/api', '/chaos/web'] as const
export const STREAMS = ['a', 'b'] as const
export const NAMESPACES = ['Chaos/Shop', 'Chaos/Api'] as const
export const METRICS = ['Latency', 'Payload', 'Retries'] as const
/** CloudWatch refuses each log event with this text in its message, and each data point of a metric of this name. */
export const POISON_TEXT = 'poison'
export const POISON_METRIC = 'Poison'

const LOGS_SHARE = 0.6
const KEYED_SHARE = 0.35
const POISON_SHARE = 0.004
/** Of the requests whose items have a time; that of the others is the gateway's. */
const TIMED_SHARE = 0.7
const MAX_ITEMS = 20
const EVENT_TEXT = 'GET /basket 200 12ms visitor=7f3a2b session=91c2d0 '

/** A request with items of consecutive numbers; each item carries its number, so that it is found again. */
export interface PlannedRequest {
  kind: 'logs' | 'metrics'
  path: string
  destination: string
  body: string
  /** Number of its first item. */
  first: number
  count: number
  /** Whether CloudWatch will refuse every item. */
  poison: boolean
  /** The idempotency key of a request that is repeated until it is answered; null for others. */
  key: string | null
}

/** Plans the requests: log events over several streams, and data points over several series. */
export class Traffic {
  /** Bytes of the text after the number in a message. */
  messageBytes = 120
  readonly #random: Random
  readonly #run: string
  #next = 1

  /** @param run makes the idempotency keys of this run its own */
  constructor (random: Random, run: string) {
    this.#random = random
    this.#run = run
  }

  /** Items planned so far; numbers begin with 1. */
  get items (): number {
    return this.#next - 1
  }

  request (): PlannedRequest {
    const random = this.#random
    const poison = random.chance(POISON_SHARE)
    const count = poison ? random.int(1, 3) : random.int(1, MAX_ITEMS)
    const first = this.#next
    this.#next += count
    const numbers = Array.from({ length: count }, (_, i) => first + i)
    const key = random.chance(KEYED_SHARE) ? `${this.#run}-${first}` : null
    const planned = random.chance(LOGS_SHARE) ? this.#logs(numbers, poison) : this.#metrics(numbers, poison)
    return { ...planned, first, count, poison, key }
  }

  #logs (numbers: number[], poison: boolean) {
    const logGroupName = this.#random.pick(GROUPS)
    const logStreamName = this.#random.pick(STREAMS)
    const text = (poison ? `${POISON_TEXT} ` : '') + EVENT_TEXT.repeat(
      Math.ceil(this.messageBytes / EVENT_TEXT.length)
    ).slice(0, this.messageBytes)
    const timestamp = this.#time()
    const logEvents = numbers.map(number => ({ message: `item ${number} ${text}`, timestamp }))
    return {
      kind: 'logs' as const,
      path: '/logEvents',
      destination: `${logGroupName}:${logStreamName}`,
      body: JSON.stringify({ logGroupName, logStreamName, logEvents })
    }
  }

  #metrics (numbers: number[], poison: boolean) {
    const Namespace = this.#random.pick(NAMESPACES)
    const Timestamp = this.#time()
    const MetricData = numbers.map(number => ({
      Timestamp,
      MetricName: poison ? POISON_METRIC : this.#random.pick(METRICS),
      Dimensions: [{ Name: 'Page', Value: this.#random.pick(['basket', 'search']) }],
      Value: number,
      StorageResolution: this.#random.pick([1, 60])
    }))
    return {
      kind: 'metrics' as const,
      path: '/metric',
      destination: Namespace,
      body: JSON.stringify({ params: { Namespace, MetricData } })
    }
  }

  /** Absent: that of the gateway. */
  #time (): number | undefined {
    return this.#random.chance(TIMED_SHARE) ? Date.now() : undefined
  }
}

/** The number of the item that a message carries. */
export function itemOfMessage (message: string): number {
  return Number(message.slice(5, message.indexOf(' ', 5)))
}

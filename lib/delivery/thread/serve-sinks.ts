import type { MessagePort } from 'node:worker_threads'
import type { RateLimiter } from '../../resilience/rate-limiter.js'
import type { DeliverContext, Sink } from '../sinks/sink.js'
import { isUntouched, unpackRecords, type FromSinks, type ToSinks } from './messages.js'

/** The answers of the thread that forwards, for the sinks. */
export interface ServedOptions<Api extends string> {
  rateLimiters: Record<Api, RateLimiter>
  retentionDaysFor: (group: string) => number | undefined
  mayCreateFor: (application: string) => boolean
}

/** The side of a SinkThread that runs in the thread that delivers. */
export function serveSinks<Api extends string> (
  port: MessagePort, apis: readonly Api[], createSinks: (options: ServedOptions<Api>) => Sink[]
): void {
  const server = new SinkServer(apis, createSinks, messages => port.postMessage(messages))
  port.on('message', (message: ToSinks) => server.receive(message))
}

interface UnderWay {
  /** Log group; null for a lease that holds no log events. */
  group: string | null
  retentionDays: number | undefined
  application: string | undefined
  mayCreate: boolean
  abort: AbortController
  /** Whether the lease was held when the rate limiter let a call through; null once a call has read it. */
  held: boolean | null
}

class SinkServer<Api extends string> {
  readonly #send: (messages: FromSinks[]) => void
  readonly #sinks: Map<string, Sink>
  readonly #underWay = new Map<number, UnderWay>()
  readonly #questions = new Map<number, (held: boolean) => void>()
  #outbox: FromSinks[] = []
  #next = 0

  constructor (
    apis: readonly Api[], createSinks: (options: ServedOptions<Api>) => Sink[], send: (messages: FromSinks[]) => void
  ) {
    this.#send = send
    const rateLimiters = Object.fromEntries(apis.map(api =>
      [api, this.#rateLimiter(api)])) as unknown as Record<Api, RateLimiter>
    const sinks = createSinks({
      rateLimiters,
      retentionDaysFor: group => this.#find(underWay => underWay.group === group)?.[1].retentionDays,
      mayCreateFor: application => this.#find(underWay => underWay.application === application)?.[1].mayCreate ?? true
    })
    this.#sinks = new Map(sinks.map(sink => [sink.kind, sink]))
  }

  receive (message: ToSinks): void {
    if (message.type === 'deliver') this.#deliver(message)
    else if (message.type === 'abort') this.#underWay.get(message.delivery)?.abort.abort()
    else this.#answered(message.question, message.held)
  }

  async #deliver ({ delivery, lease, retentionDays, mayCreate }: Extract<ToSinks, { type: 'deliver' }>): Promise<void> {
    const { id, kind, destination, application, attempt } = lease
    const abort = new AbortController()
    const group = kind === 'logs' ? destination.slice(0, destination.indexOf(':')) : null
    const underWay: UnderWay = { group, retentionDays, application, mayCreate, abort, held: null }
    this.#underWay.set(delivery, underWay)
    const context: DeliverContext = {
      signal: abort.signal,
      extend: async () => {
        const { held } = underWay
        underWay.held = null
        return held ?? await this.#ask(question => ({ type: 'extend', delivery, question }))
      },
      onCall: call => this.#post({ type: 'call', delivery, call }),
      standAside: aside => this.#post({ type: 'aside', delivery, aside }),
      onRejected: (...rejected) => this.#post({ type: 'rejected', delivery, rejected })
    }
    try {
      const records = unpackRecords(lease)
      const outcome = await this.#sinks.get(kind)!.deliver({
        id,
        kind,
        destination,
        attempt,
        records,
        ...(application === undefined ? {} : { application })
      }, context)
      const untouched = isUntouched(outcome, records)
      if (untouched) outcome.settlement.remainder = []
      this.#post({ type: 'delivered', delivery, outcome, untouched })
    } catch (error) {
      this.#post({ type: 'thrown', delivery, message: (error as Error).message })
    } finally {
      this.#underWay.delete(delivery)
    }
  }

  #find (wanted: (underWay: UnderWay) => boolean): [delivery: number, underWay: UnderWay] | undefined {
    return [...this.#underWay].find(([, underWay]) => wanted(underWay))
  }

  #rateLimiter (api: string): RateLimiter {
    return {
      acquire: async signal => {
        signal.throwIfAborted()
        const [delivery, underWay] = this.#find(({ abort }) => abort.signal === signal)!
        underWay.held = await this.#ask(question => ({ type: 'acquire', delivery, api, question }))
        signal.throwIfAborted()
      },
      throttled: retryAfterMs => this.#post({ type: 'throttled', api, retryAfterMs }),
      succeeded: () => this.#post({ type: 'succeeded', api })
    }
  }

  #ask (toMessage: (question: number) => FromSinks): Promise<boolean> {
    const question = this.#next++
    return new Promise(resolve => {
      this.#questions.set(question, resolve)
      this.#post(toMessage(question))
    })
  }

  /** The messages of one turn cross together, so that they wake the other thread once. */
  #post (message: FromSinks): void {
    if (this.#outbox.push(message) > 1) return
    process.nextTick(() => {
      const messages = this.#outbox
      this.#outbox = []
      this.#send(messages)
    })
  }

  #answered (question: number, held: boolean): void {
    this.#questions.get(question)?.(held)
    this.#questions.delete(question)
  }
}

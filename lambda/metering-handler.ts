import type { UnixMs } from '../schemas/common.js'
import type { Failure } from '../lib/resilience/failure.js'
import type { MeteredCall } from '../lib/metering/metered-call.js'
import type { MeteringClient, SendOutcome } from '../lib/metering/metering-client.js'
import type { DeliveredIds } from '../lib/metering/delivered-ids.js'
import { allSkipped, type CallFilter } from '../lib/metering/call-filter.js'
import type { LogLine, UnreadableLine } from '../lib/metering/subscription.js'
import { isObject } from '../lib/guards.js'
import { cutForMessages, type ParkedMessage, type Parking, type UnmeteredReason } from './parking.js'
import { errorLine, metricLine, zeroCalls, type CallCounts } from './function-log.js'
import { readQueueMessage, readSubscriptionEvent, UnknownEventError, type EventContent } from './metering-event.js'

/** The members of the context of a Lambda handler that are read here. */
export interface LambdaContext {
  functionName: string
  logGroupName: string
  getRemainingTimeInMillis (): number
}

/** The answer that makes messages of a queue come again. */
export interface BatchResponse {
  batchItemFailures: Array<{ itemIdentifier: string }>
}

export interface MeteringHandlerOptions {
  client: MeteringClient
  filter: CallFilter
  delivered: DeliveredIds
  parking: Parking
  concurrency: number
  now: () => UnixMs
  write: (line: string) => void
}

/** Milliseconds reserved for parking the calls that are not delivered, at most this share of the time that is left. */
const RESERVE_MS = 8_000
const RESERVE_SHARE = 0.4
/** Attempts to send a call again; with the delays below they take about a day. */
const MAX_PARKINGS = 100
const FIRST_DELAY_SECONDS = 60
/** The longest delay that SQS knows. */
const MAX_DELAY_SECONDS = 900
const TIME_WAS_OVER = 'the time of the function was over'

/**
 * Meters the calls of a subscription's event, or of messages that were parked before.
 *
 * Calls that the platform does not take in time are parked, and calls that it refuses become dead letters. The
 * invocation fails only when these cannot be stored, and then as a whole: each call keeps its id, by which the platform
 * recognises the calls that it has already.
 */
export function createMeteringHandler (
  options: MeteringHandlerOptions
): (event: unknown, context: LambdaContext) => Promise<CallCounts | BatchResponse> {
  return async (event, context) => {
    const invocation = new Invocation(options, context)
    if (isObject(event) && 'awslogs' in event) return await invocation.meterLogs({ awslogs: event.awslogs })
    if (isObject(event) && Array.isArray(event.Records)) {
      return await invocation.meterMessages(event.Records as QueueRecord[])
    }
    throw new UnknownEventError('the event is neither of CloudWatch Logs nor of SQS')
  }
}

interface QueueRecord {
  messageId: string
  body: string
}

class Invocation {
  readonly #options: MeteringHandlerOptions
  readonly #context: LambdaContext
  readonly #deadline: number
  readonly #counts = zeroCalls()
  /** Why calls were parked or dropped. */
  #reason: string | undefined

  constructor (options: MeteringHandlerOptions, context: LambdaContext) {
    this.#options = options
    this.#context = context
    const remainingMs = context.getRemainingTimeInMillis()
    this.#deadline = options.now() + remainingMs - Math.min(RESERVE_MS, remainingMs * RESERVE_SHARE)
  }

  async meterLogs (event: { awslogs: unknown }): Promise<CallCounts> {
    try {
      await this.#meter(await readSubscriptionEvent(event, this.#options.filter, this.#context.logGroupName))
    } finally {
      this.#write()
    }
    return this.#counts
  }

  /** A message that can be neither metered nor parked comes again by itself. */
  async meterMessages (records: QueueRecord[]): Promise<BatchResponse> {
    const batchItemFailures: BatchResponse['batchItemFailures'] = []
    for (const { messageId, body } of records) {
      try {
        await this.#meter(await readQueueMessage(body, this.#options.filter, this.#context.logGroupName))
      } catch (error) {
        this.#options.write(errorLine('a message is left in its queue', {
          messageId, reason: (error as Error).message
        }))
        batchItemFailures.push({ itemIdentifier: messageId })
      }
    }
    this.#write()
    return { batchItemFailures }
  }

  async #meter (content: EventContent): Promise<void> {
    const outcomes = await this.#send(content)
    const leftCalls = outcomes.filter(outcome => outcome.result === 'left')
    const refused = outcomes.filter(outcome => outcome.result === 'refused')
    const exhausted = content.attempt >= MAX_PARKINGS
    const reason = leftCalls.find(({ failure }) => failure !== null)?.failure?.message ?? TIME_WAS_OVER
    if (leftCalls.length > 0) this.#reason = reason
    this.#count(content)
    this.#counts.refused += refused.length
    this.#counts[exhausted ? 'dropped' : 'parked'] += leftCalls.length
    const stored = await Promise.allSettled([
      this.#options.parking.park(
        exhausted ? [] : parkedMessages(leftCalls, content.attempt + 1, reason), delaySeconds(content.attempt)
      ),
      this.#options.parking.deadLetter([
        ...callLetters('refused', refused.map(({ call, message }) => [call, message])),
        ...callLetters(
          'exhausted', exhausted ? leftCalls.map(({ call, failure }) => [call, failure?.message ?? TIME_WAS_OVER]) : []
        ),
        ...lineLetters(content.unreadable),
        ...payloadLetters(content.undecodable)
      ])
    ])
    this.#tellConfigFault(leftCalls.find(({ failure }) => failure?.class === 'denied')?.failure ?? null)
    for (const result of stored) {
      if (result.status === 'rejected') throw result.reason
    }
  }

  /** Each call is remembered as soon as the platform has taken it, and not before. */
  async #send ({ calls }: EventContent): Promise<SendOutcome[]> {
    const { client, delivered, concurrency } = this.#options
    const known = await delivered.among(calls.map(({ id }) => id))
    const fresh = uniqueById(calls).filter(({ id }) => !known.has(id))
    this.#counts.duplicates += calls.length - fresh.length
    return await client.sendAll(fresh, {
      concurrency,
      deadline: this.#deadline,
      onOutcome: async ({ call, result }) => {
        if (result !== 'delivered') return
        this.#counts.metered++
        await delivered.add([call.id])
      }
    })
  }

  #count ({ calls, duplicates, skipped, unreadable, undecodable }: EventContent): void {
    const skippedCount = Object.values(skipped).reduce((sum, count) => sum + count, 0)
    const oldest = calls.reduce((min, { timestamp }) => Math.min(min, timestamp), Infinity)
    const counts = this.#counts
    counts.received += calls.length + duplicates + skippedCount + unreadable.length
    counts.duplicates += duplicates
    counts.skipped += skippedCount
    counts.unreadable += unreadable.length + (undecodable === null ? 0 : 1)
    const all = undecodable === null ? allSkipped({ calls, duplicates, skipped, unreadable }) : null
    if (all !== null) this.#options.write(errorLine(all.message, { skipped: all.skipped, hint: all.hint }))
    if (calls.length > 0) counts.lagMs = Math.max(counts.lagMs, this.#options.now() - oldest)
  }

  #tellConfigFault (failure: Failure | null): void {
    if (failure === null) return
    this.#counts.configFaults++
    const { message: reason } = failure
    this.#options.write(
      errorLine('nothing can be sent to the metering platform: check its key and its address', { reason })
    )
  }

  #write (): void {
    const { received, unreadable } = this.#counts
    if (received + unreadable > 0) {
      this.#options.write(metricLine(this.#counts, this.#context.functionName, this.#options.now(), this.#reason))
    }
  }
}

function uniqueById (calls: MeteredCall[]): MeteredCall[] {
  return [...new Map(calls.map(call => [call.id, call])).values()]
}

function parkedMessages (left: Array<{ call: MeteredCall }>, attempt: number, message: string): ParkedMessage[] {
  return cutForMessages(left.map(({ call }) => call)).map(calls => ({ v: 1, attempt, message, calls }))
}

function delaySeconds (attempt: number): number {
  return Math.min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** attempt)
}

/** Calls with the same reason in words share a message. */
function callLetters (reason: UnmeteredReason, entries: Array<[MeteredCall, string]>): ParkedMessage[] {
  return toLetters(entries, (message, calls) => ({ v: 1, reason, message, calls }))
}

function lineLetters (unreadable: UnreadableLine[]): ParkedMessage[] {
  const entries = unreadable.map(({ line, message, origin }): [LogLine, string] => [{ text: line, origin }, message])
  return toLetters(entries, (message, lines) => ({ v: 1, reason: 'unreadable', message, lines }))
}

function payloadLetters (undecodable: EventContent['undecodable']): ParkedMessage[] {
  if (undecodable === null) return []
  const { message, data } = undecodable
  return [{ v: 1, reason: 'undecodable', message, awslogs: { data } }]
}

function toLetters<Item> (
  entries: Array<[Item, string]>, build: (message: string, items: Item[]) => ParkedMessage
): ParkedMessage[] {
  const byMessage = new Map<string, Item[]>()
  for (const [item, message] of entries) {
    const items = byMessage.get(message)
    if (items === undefined) byMessage.set(message, [item])
    else items.push(item)
  }
  return [...byMessage].flatMap(([message, items]) => cutForMessages(items).map(part => build(message, part)))
}

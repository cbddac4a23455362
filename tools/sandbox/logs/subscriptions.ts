import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { compileFilterPattern } from './filter-pattern.js'
import { encodePosition, type InputLogEvent, type LogGroup, type SubscriptionFilter } from './log-store.js'

const compress = promisify(gzip)

/** The account that all log groups of the sandbox belong to. */
const OWNER = '000000000000'
const FUNCTION_ARN = /^arn:aws[^:]*:lambda:[^:]*:\d{12}:function:([\w-]{1,64})$/
/** Lambda tries a failed event twice more, after one and two minutes; the sandbox is quicker. */
const RETRY_DELAYS_MS = [1_000, 2_000]

/** The event that CloudWatch Logs invokes a function with. */
export interface SubscriptionEvent {
  awslogs: { data: string }
}

/** A function in this process, or the URL that its event is posted to, as with the emulator of Lambda's runtime. */
export type LambdaFunction = ((event: SubscriptionEvent) => Promise<unknown>) | string

export interface SubscriptionsOptions {
  /** Milliseconds before each further attempt. Absent: 1,000 and 2,000. */
  retryDelaysMs?: readonly number[]
}

/** Invokes the functions that are subscribed to stored log events; no PutLogEvents waits for them. */
export class Subscriptions {
  readonly #functions = new Map<string, LambdaFunction>()
  readonly #retryDelaysMs: readonly number[]
  readonly #underWay = new Set<Promise<void>>()
  #closing = new AbortController()

  constructor ({ retryDelaysMs = RETRY_DELAYS_MS }: SubscriptionsOptions = {}) {
    this.#retryDelaysMs = retryDelaysMs
  }

  setFunction (name: string, target: LambdaFunction): void {
    this.#functions.set(name, target)
  }

  /** Whether the ARN is that of a function that can be invoked. */
  canInvoke (destinationArn: string): boolean {
    return this.#find(destinationArn) !== undefined
  }

  /** Sends the message with which CloudWatch Logs checks a new destination. */
  probe (group: LogGroup, filter: SubscriptionFilter): void {
    this.#send(filter, {
      messageType: 'CONTROL_MESSAGE',
      owner: 'CloudwatchLogs',
      logGroup: '',
      logStream: '',
      subscriptionFilters: [],
      logEvents: [{
        id: '',
        timestamp: group.creationTime,
        message: 'CWL CONTROL MESSAGE: Checking health of destination'
      }]
    })
  }

  /** @param firstSequence the number of the first event in the store */
  deliver (group: LogGroup, logStream: string, events: readonly InputLogEvent[], firstSequence: number): void {
    for (const filter of group.subscriptionFilters.values()) {
      const matches = compileFilterPattern(filter.filterPattern)
      const logEvents = events
        .map(({ timestamp, message }, index) => ({
          id: encodePosition({ timestamp, sequence: firstSequence + index }),
          timestamp,
          message
        }))
        .filter(({ message }) => matches(message))
      if (logEvents.length === 0) continue
      this.#send(filter, {
        messageType: 'DATA_MESSAGE',
        owner: OWNER,
        logGroup: group.name,
        logStream,
        subscriptionFilters: [filter.filterName],
        logEvents
      })
    }
  }

  /** Resolves when every stored event was taken by the functions, or given up. */
  async idle (): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  /** Gives up the invocations that are under way. */
  stop (): void {
    this.#closing.abort()
    this.#closing = new AbortController()
  }

  #find (destinationArn: string): LambdaFunction | undefined {
    return this.#functions.get(FUNCTION_ARN.exec(destinationArn)?.[1] ?? '')
  }

  #send (filter: SubscriptionFilter, envelope: object): void {
    const sending = this.#invoke(filter.destinationArn, envelope, this.#closing.signal).finally(() =>
      this.#underWay.delete(sending))
    this.#underWay.add(sending)
  }

  async #invoke (destinationArn: string, envelope: object, signal: AbortSignal): Promise<void> {
    const event = { awslogs: { data: (await compress(JSON.stringify(envelope))).toString('base64') } }
    for (const delayMs of [0, ...this.#retryDelaysMs]) {
      try {
        if (delayMs > 0) await sleep(delayMs, undefined, { signal, ref: false })
        signal.throwIfAborted()
        await call(this.#find(destinationArn), event, signal)
        return
      } catch {
        if (signal.aborted) return
      }
    }
  }
}

async function call (target: LambdaFunction | undefined, event: SubscriptionEvent, signal: AbortSignal): Promise<void> {
  if (typeof target === 'function') {
    await target(event)
    return
  }
  if (target === undefined) throw new Error('the function is gone')
  const response = await fetch(target, { method: 'POST', body: JSON.stringify(event), signal })
  await response.arrayBuffer()
  if (!response.ok || response.headers.has('x-amz-function-error')) {
    throw new Error(`the function has failed with status ${response.status}`)
  }
}

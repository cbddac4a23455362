import { setTimeout as sleep } from 'node:timers/promises'
import { classifyFailure, type Failure } from '../resilience/failure.js'
import type { MonotonicMs } from '../../schemas/common.js'

/** An AWS client, with the settings that it resolves by itself. */
interface AwsClient {
  config: { credentials: () => Promise<unknown>, region: () => Promise<string> }
}

/** The longest that a caller waits for the first answer. */
const MAX_WAIT_MS = 1_000
const FOUND_MS = 60_000
const NOT_FOUND_MS = 5_000

/**
 * Whether the SDK finds credentials and a Region, and whether the endpoints can be reached. The SDK is asked once a
 * minute at most, and every five seconds while it finds none, as it may have to ask a server for them. The last answer
 * stands while it is asked again.
 */
export class AwsAccess {
  readonly #client: AwsClient
  readonly #now: () => MonotonicMs
  #asking: Promise<void> | null = null
  #answeredAt: MonotonicMs = -Infinity
  readonly #reach: () => Promise<void>
  #failure: Failure | null = {
    class: 'unavailable',
    name: 'TimeoutError',
    message: 'credentials were not found in time'
  }

  /** @param reach whether the endpoints can be reached, for which they need a Region; throws the error of the system */
  constructor ({ client, reach, now }: { client: AwsClient, reach: () => Promise<void>, now: () => MonotonicMs }) {
    this.#client = client
    this.#reach = reach
    this.#now = now
  }

  /** @returns the error of the SDK or of the system; null when credentials, Region and endpoints are there */
  async failure (): Promise<Failure | null> {
    const isKnown = this.#answeredAt !== -Infinity
    if (this.#now() - this.#answeredAt >= (this.#failure === null ? FOUND_MS : NOT_FOUND_MS)) {
      this.#asking ??= this.#ask()
      if (!isKnown) await Promise.race([this.#asking, sleep(MAX_WAIT_MS, undefined, { ref: false })])
    }
    return this.#failure
  }

  async #ask (): Promise<void> {
    const { config } = this.#client
    try {
      await Promise.all([config.credentials(), config.region()])
      await this.#reach()
      this.#failure = null
    } catch (error) {
      this.#failure = classifyFailure(error)
    }
    this.#answeredAt = this.#now()
    this.#asking = null
  }
}

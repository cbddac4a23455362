import { ageOf } from '../clock.js'
import type { UnixMs } from '../../schemas/common.js'
import { classifyFailure } from '../resilience/failure.js'

/** The key that the platform asks for. */
export interface ApiKey {
  /**
   * @param signal ends the reading of a key that is not known yet, for everybody who waits for it
   * @throws ApiKeyError when the key cannot be had now
   */
  get (signal?: AbortSignal): Promise<string>
  /**
   * The platform has refused this key: it may have been rotated.
   * @returns whether `get` may answer with another one now
   */
  refused (key: string): boolean
}

/** There is no key that could be sent; somebody has to mend its secret, or what stands between. */
export class ApiKeyError extends Error {
  override name = 'ApiKeyError'
}

/** The characters that a header can hold. */
const SENDABLE = /^[\x20-\x7e]+$/

/** A key that is known from the start. */
export function fixedKey (key: string): ApiKey {
  return { get: async () => requireSendable(key), refused: () => false }
}

/** @throws ApiKeyError, which does not show the key */
function requireSendable (key: string): string {
  if (!SENDABLE.test(key)) {
    throw new ApiKeyError('the key of the metering platform must be printable ASCII, without line breaks')
  }
  return key
}

export interface FetchedKeyOptions {
  /** Reads the key from its secret. */
  fetch: (signal: AbortSignal | undefined) => Promise<string>
  now: () => UnixMs
  /** A key this old is read again. */
  maxAgeMs: number
  /** A refused key is read again, but not sooner than this after it was read. */
  minAgeMs: number
}

/** A key that is kept elsewhere, and may change there. */
export function createFetchedKey ({ fetch, now, maxAgeMs, minAgeMs }: FetchedKeyOptions): ApiKey {
  let current: { key: Promise<string>, value: string | null, at: number } | null = null

  async function fetchSendable (signal: AbortSignal | undefined): Promise<string> {
    try {
      return requireSendable(await fetch(signal))
    } catch (error) {
      if (error instanceof ApiKeyError) throw error
      const cause: unknown = signal?.aborted === true ? signal.reason : error
      throw new ApiKeyError(`the key of the metering platform cannot be read: ${classifyFailure(cause).message}`)
    }
  }

  function read (signal: AbortSignal | undefined): Promise<string> {
    const reading = { key: fetchSendable(signal), value: null as string | null, at: now() }
    current = reading
    reading.key.then(value => { reading.value = value }, () => {
      if (current === reading) current = null
    })
    return reading.key
  }

  return {
    get: signal => current === null || ageOf(current.at, now()) >= maxAgeMs ? read(signal) : current.key,
    refused (key) {
      if (current === null || current.value !== key) return true
      if (ageOf(current.at, now()) < minAgeMs) return false
      current = null
      return true
    }
  }
}

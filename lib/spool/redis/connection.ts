import { monotonicNow } from '../../clock.js'
import type { MonotonicMs } from '../../../schemas/common.js'
import { answerWithin } from '../../redis/ask.js'
import type { RedisClient } from '../../redis/redis-client.js'
import { SpoolFullError, SpoolUnavailableError } from '../spool.js'
import type { SpoolClient } from './commands.js'

/**
 * The shared client, which has the commands of the spool, with a deadline for every command and the errors of the
 * contract.
 */
export class Connection {
  readonly client: SpoolClient
  readonly #timeoutMs: number
  /** The commands that wait for the connection; one pair of listeners serves them all. */
  readonly #waiting = new Set<(error: Error | null) => void>()
  readonly #onReady = (): void => this.#wake(null)
  readonly #onEnd = (): void => this.#wake(new SpoolUnavailableError('the connection to Redis has ended'))

  constructor (redis: RedisClient, timeoutMs: number) {
    this.client = redis as SpoolClient
    this.#timeoutMs = timeoutMs
  }

  /**
   * Waits for the connection, then runs the command. While the connection is down nothing is sent, so that no command
   * is run after its caller has given it up.
   * @param since when its time has begun; a fifth of the deadline is always left
   * @throws SpoolUnavailableError, SpoolFullError
   */
  async run<T> (command: (client: SpoolClient) => Promise<T>, since: MonotonicMs = monotonicNow()): Promise<T> {
    const deadline = Math.max(since + this.#timeoutMs, monotonicNow() + this.#timeoutMs / 5)
    try {
      if (this.client.status !== 'ready') await this.#ready(deadline)
      return await answerWithin(Math.ceil(deadline - monotonicNow()), command(this.client))
    } catch (error) {
      throw toSpoolError(error as Error)
    }
  }

  /** The member of a sorted set with the lowest score. */
  async lowest (key: string): Promise<{ member: string, score: number } | null> {
    const reply = await this.run(client => client.call('ZRANGE', key, 0, 0, 'WITHSCORES')) as unknown[]
    // Protocol 3 answers with pairs, protocol 2 with a flat list.
    const [member, score] = reply.flat()
    return member === undefined ? null : { member: String(member), score: Number(score) }
  }

  #ready (deadline: MonotonicMs): Promise<void> {
    const { client } = this
    return new Promise((resolve, reject) => {
      const finish = (error: Error | null): void => {
        clearTimeout(timer)
        this.#waiting.delete(finish)
        if (this.#waiting.size === 0) client.off('ready', this.#onReady).off('end', this.#onEnd)
        if (error === null) resolve()
        else reject(error)
      }
      const timer = setTimeout(() => {
        finish(new SpoolUnavailableError(`Redis could not be connected within ${this.#timeoutMs} ms`))
      }, deadline - monotonicNow())
      if (this.#waiting.size === 0) client.on('ready', this.#onReady).on('end', this.#onEnd)
      this.#waiting.add(finish)
      if (client.status === 'end') this.#onEnd()
      if (client.status === 'wait') client.connect().catch(this.#onEnd)
    })
  }

  #wake (error: Error | null): void {
    for (const finish of [...this.#waiting]) finish(error)
  }
}

/** An error of Redis or of the client as an error of the contract. */
export function toSpoolError (error: Error): Error {
  if (error instanceof SpoolUnavailableError || error instanceof SpoolFullError) return error
  if (/(^|\s)OOM /.test(error.message)) {
    return new SpoolFullError(`Redis (REDIS_URL) has reached its maxmemory: ${error.message}`, { cause: error })
  }
  const fault = error.name === 'ReplyError' ? 'refuses' : 'cannot be reached'
  return new SpoolUnavailableError(`Redis (REDIS_URL) ${fault}: ${error.message}`, { cause: error })
}

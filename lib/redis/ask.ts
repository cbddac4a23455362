/** Keeps commands away from a Redis that does not answer; a CircuitBreaker is one. */
export interface Breaker {
  allows (): boolean
  succeeded (): void
  failed (): void
}

/**
 * Waits for the answer to a command that was sent, and no longer than the deadline.
 * @throws Error of the command, or that there was no answer
 */
export async function answerWithin<T> (timeoutMs: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([answer, deadline])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Asks Redis for an answer that the caller can do without.
 * @returns null when the command fails or is not answered in time, and without sending it while the breaker is open
 */
export async function ask<T> (command: () => Promise<T>, timeoutMs: number, breaker: Breaker): Promise<T | null> {
  if (!breaker.allows()) return null
  try {
    const answer = await answerWithin(timeoutMs, command())
    breaker.succeeded()
    return answer
  } catch {
    breaker.failed()
    return null
  }
}

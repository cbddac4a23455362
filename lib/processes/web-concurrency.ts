import { AUTO_CONCURRENCY } from '../../schemas/config.js'

/**
 * How many processes take requests.
 * @param text of WEB_CONCURRENCY
 * @param cores of this machine
 * @returns 1 for a text that cannot be used, which stops the start of that process
 */
export function readWebConcurrency (text: string | undefined, cores: number): number {
  const concurrency = text?.trim() === AUTO_CONCURRENCY ? cores : Number(text?.trim() || 1)
  return Number.isInteger(concurrency) && concurrency > 0 ? concurrency : 1
}

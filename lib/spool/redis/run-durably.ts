import { SpoolUnavailableError } from '../spool.js'
import type { Durability } from './checks.js'
import { keysOf, type Argument, type SpoolClient, type SpoolCommands } from './commands.js'

/** How long a replica or the disk may take to confirm. */
const DURABLE_WITHIN_MS = 4_000

/**
 * Runs a script, and waits until more than the memory of the server has what it has written.
 * @returns its answer, of type T
 * @throws SpoolUnavailableError when nobody confirms in time; Error of the script
 */
export async function runDurably<T> (
  client: SpoolClient, durability: Durability, script: keyof SpoolCommands, base: string, args: Argument[]
): Promise<T> {
  const keyed = [...keysOf(base), ...args]
  if (durability === 'none') return await (Reflect.apply(Reflect.get(client, script), client, keyed) as Promise<T>)
  // In one pipeline, as WAIT and WAITAOF are about the writes of their own connection.
  const pipeline = client.pipeline()
  Reflect.apply(Reflect.get(pipeline, script), pipeline, keyed)
  if (durability === 'wait') pipeline.call('WAIT', 1, DURABLE_WITHIN_MS)
  else pipeline.call('WAITAOF', 1, 0, DURABLE_WITHIN_MS)
  const replies = await pipeline.exec() as [[Error | null, T], [Error | null, number | number[]]]
  const [[scriptError, answer], [waitError, reached]] = replies
  if (scriptError !== null || waitError !== null) throw scriptError ?? waitError
  const copies = Array.isArray(reached) ? reached[0]! : reached
  const copy = durability === 'wait' ? 'replica' : 'disk'
  if (copies < 1) throw new SpoolUnavailableError(`no ${copy} has confirmed within ${DURABLE_WITHIN_MS} ms`)
  return answer
}

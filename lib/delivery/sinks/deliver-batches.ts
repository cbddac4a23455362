import type { Failure } from '../../resilience/failure.js'
import type { DeliverContext } from './sink.js'

/**
 * Refused calls after which a delivery ends and its remainder waits for its next turn, so that a destination that
 * refuses every item does not keep the other destinations waiting. One culprit among 10,000 items takes 15 refusals.
 */
const MAX_REFUSALS = 128

export interface BatchCalls<Batch> {
  /** Sends the batch and, when the API takes it, notes the outcome of its items. Null when the API takes it. */
  put (batch: Batch): Promise<Failure | null>
  /** Cuts a refused batch into smaller ones; null when it holds one item. */
  split (batch: Batch): Batch[] | null
  /** Notes that the only item of this batch is refused. */
  refuse (batch: Batch, message: string): void
}

/**
 * Sends batches one after another. A refused batch is cut until its culprit stands alone; a batch that the API has
 * taken is never sent again. Any other failure ends the delivery.
 * @returns the failure that ended it, null when every item has met its outcome
 */
export async function deliverBatches<Batch> (
  batches: Batch[], calls: BatchCalls<Batch>, context: DeliverContext
): Promise<Failure | null> {
  const waiting = [...batches].reverse()
  let refusals = 0
  for (let batch = waiting.pop(); batch !== undefined; batch = waiting.pop()) {
    if (context.signal.aborted) return { class: 'unavailable', message: 'this process is about to stop' }
    const failure = await calls.put(batch)
    if (failure === null) continue
    if (failure.class !== 'invalid') return failure
    const parts = calls.split(batch)
    if (parts === null) calls.refuse(batch, failure.message)
    else waiting.push(...parts.reverse())
    if (++refusals === MAX_REFUSALS && waiting.length > 0) return failure
  }
  return null
}

/** The two halves of a list of at least two elements; null for a shorter list. */
export function halves<Element> (elements: Element[]): [Element[], Element[]] | null {
  if (elements.length < 2) return null
  const middle = elements.length >> 1
  return [elements.slice(0, middle), elements.slice(middle)]
}

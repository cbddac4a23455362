import type { MonotonicMs } from '../../../schemas/common.js'
import { DueQueue, type Due } from './due-queue.js'

/** A member of a FairDueQueue. */
export interface OwnedDue extends Due {
  /** Empty when nobody knows. */
  readonly application: string
}

/** Members by the time at which they are due; of those that are due, the applications have their turns. */
export class FairDueQueue<T extends OwnedDue> {
  /** Of each application with a member; the application that was served last comes last. */
  readonly #queues = new Map<string, DueQueue<T>>()

  /** Puts the member at this time, or takes it out for null. */
  set (member: T, dueAt: MonotonicMs | null): void {
    const { application } = member
    let queue = this.#queues.get(application)
    if (queue === undefined) {
      if (dueAt === null) return
      queue = new DueQueue()
      this.#queues.set(application, queue)
    }
    queue.set(member, dueAt)
    if (queue.peek() === undefined) this.#queues.delete(application)
  }

  /** The member whose turn it is, which has been due longest of its application; when none is due, the first to be. */
  next (now: MonotonicMs): T | undefined {
    let first: T | undefined
    for (const queue of this.#queues.values()) {
      const head = queue.peek()!
      if (head.dueAt! <= now) return head
      if (first === undefined || head.dueAt! < first.dueAt!) first = head
    }
    return first
  }

  /** The application has had its turn. */
  served (application: string): void {
    const queue = this.#queues.get(application)
    if (queue === undefined) return
    this.#queues.delete(application)
    this.#queues.set(application, queue)
  }
}

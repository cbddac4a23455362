import type { MonotonicMs } from '../../../schemas/common.js'

/** A member of a DueQueue. */
export interface Due {
  /** Null when it is not in the queue; written by the queue only. */
  dueAt: MonotonicMs | null
  /** Position in the queue; written by the queue only. */
  heapIndex: number
}

/** Members by the time at which they are due, the longest due first: a binary heap whose members can be moved. */
export class DueQueue<T extends Due> {
  readonly #heap: T[] = []

  peek (): T | undefined {
    return this.#heap[0]
  }

  /** Puts the member at this time, or takes it out for null. */
  set (member: T, dueAt: MonotonicMs | null): void {
    const queued = member.dueAt !== null
    member.dueAt = dueAt
    if (dueAt === null) {
      if (queued) this.#remove(member)
      return
    }
    if (!queued) {
      member.heapIndex = this.#heap.length
      this.#heap.push(member)
    }
    this.#down(this.#up(member.heapIndex))
  }

  #remove (member: T): void {
    const last = this.#heap.pop()!
    if (last === member) return
    this.#place(last, member.heapIndex)
    this.#down(this.#up(last.heapIndex))
  }

  #up (index: number): number {
    const member = this.#heap[index]!
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (this.#heap[parent]!.dueAt! <= member.dueAt!) break
      this.#place(this.#heap[parent]!, index)
      index = parent
    }
    this.#place(member, index)
    return index
  }

  #down (index: number): void {
    const member = this.#heap[index]!
    for (;;) {
      let child = 2 * index + 1
      if (child >= this.#heap.length) break
      if (child + 1 < this.#heap.length && this.#heap[child + 1]!.dueAt! < this.#heap[child]!.dueAt!) child++
      if (member.dueAt! <= this.#heap[child]!.dueAt!) break
      this.#place(this.#heap[child]!, index)
      index = child
    }
    this.#place(member, index)
  }

  #place (member: T, index: number): void {
    this.#heap[index] = member
    member.heapIndex = index
  }
}

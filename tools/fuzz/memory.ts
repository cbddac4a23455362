import { memoryOf } from '../bench/process-usage.js'

const MIB = 2 ** 20
/** The share of requests in which caches fill and code is compiled. */
const WARM_UP_SHARE = 0.3
const LAST_SHARE = 0.25
/** The growth of memory that is allowed from the warm-up to the last quarter, as a share. */
const GROWTH_SHARE = 0.25
const GROWTH_BYTES = 32 * MIB

/** Resident bytes after so many requests, and the part of them that is no mapped file. */
interface Sample { done: number, rss: number, own: number }

export interface MemoryVerdict {
  start: Sample
  warm: Sample
  end: Sample
  /** The most bytes that the last quarter may have in the median, mapped files left out. */
  bound: number
  /** The bytes that the last quarter has in the median, mapped files left out. */
  last: number
  grown: boolean
}

function median (numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!
}

/** Follows the memory of a process. Files that LMDB maps are page cache, and are left out of the verdict. */
export class MemoryWatch {
  readonly #pid: number
  readonly #samples: Sample[] = []

  constructor (pid: number) {
    this.#pid = pid
    this.sample(0)
  }

  /** @throws Error when the process is gone */
  sample (done: number): void {
    const { rss, file } = memoryOf(this.#pid)
    this.#samples.push({ done, rss, own: rss - (file ?? 0) })
  }

  /** @param requests how many there were in all */
  verdict (requests: number): MemoryVerdict {
    const samples = this.#samples
    const afterWarmUp = samples.filter(({ done }) => done >= requests * WARM_UP_SHARE)
    const warm = afterWarmUp[0] ?? samples.at(-1)!
    // A heap breathes: one sample could be the crest or the trough of a collection.
    const early = afterWarmUp.filter(({ done }) => done < requests * (WARM_UP_SHARE + LAST_SHARE)).map(({ own }) => own)
    const late = afterWarmUp.filter(({ done }) => done >= requests * (1 - LAST_SHARE)).map(({ own }) => own)
    const base = median(early.length > 0 ? early : [warm.own])
    const last = median(late.length > 0 ? late : [samples.at(-1)!.own])
    const bound = base * (1 + GROWTH_SHARE) + GROWTH_BYTES
    return { start: samples[0]!, warm, end: samples.at(-1)!, bound, last, grown: last > bound }
  }
}

export const mebibytes = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`

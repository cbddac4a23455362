import type { UnixMs } from '../../schemas/common.js'
import type { FaultMode, FaultKind, Place } from './schedule.js'

/** The answers that a fault can keep from processes, by the names of the processes. */
export interface Effects {
  /** Processes that are killed, ended or stopped for a while. */
  processes?: string[]
  /** Processes whose clients may not get an answer. */
  requestsOf?: string[]
  /** Processes whose calls to CloudWatch may fail, or lose their answers. */
  answersOf?: string[]
  /** Processes that cannot write to the spool. */
  storeOf?: string[]
  /** Whether the spool takes no more items. */
  full?: boolean
  /** Their wall clocks are wrong. */
  clockOf?: string[]
}

export interface FaultWindow {
  id: number
  kind: FaultKind
  place: Place
  mode: FaultMode
  target: string
  detail: string
  effects: Effects
  startedAt: UnixMs
  /** When the fault was over and every process ran again; Infinity before. */
  endedAt: number
}

/** The faults and events of a run, with their times. */
export class Timeline {
  readonly windows: FaultWindow[] = []
  readonly #startedAt = Date.now()
  readonly #lines: string[] = []
  readonly #print: (line: string) => void

  constructor (print: (line: string) => void = () => {}) {
    this.#print = print
  }

  begin (place: Place, mode: FaultMode, target: string, detail: string, effects: Effects): FaultWindow {
    const kind: FaultKind = `${place} ${mode}`
    const window: FaultWindow = {
      id: this.windows.length,
      kind,
      place,
      mode,
      target,
      detail,
      effects,
      startedAt: Date.now(),
      endedAt: Infinity
    }
    this.windows.push(window)
    this.note(`#${window.id} ${kind} ${target}${detail === '' ? '' : ` (${detail})`}`)
    return window
  }

  end (window: FaultWindow): void {
    window.endedAt = Date.now()
    this.note(
      `#${window.id} ${window.kind} ${window.target} is over after ` +
        `${((window.endedAt - window.startedAt) / 1_000).toFixed(1)} s`
    )
  }

  note (text: string): void {
    const line = `${((Date.now() - this.#startedAt) / 1_000).toFixed(2).padStart(8)} s  ${text}`
    this.#lines.push(line)
    this.#print(line)
  }

  /** Seconds from the start, for messages. */
  seconds (at: number): string {
    return ((at - this.#startedAt) / 1_000).toFixed(2)
  }

  lines (): readonly string[] {
    return this.#lines
  }
}

/** Whether the fault was there at any time from start to end, given in Unix milliseconds. */
export function touches ({ startedAt, endedAt }: FaultWindow, start: number, end: number, graceMs = 0): boolean {
  return startedAt <= end && endedAt + graceMs >= start
}

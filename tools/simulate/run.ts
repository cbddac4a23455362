import { costsOf, type Costs } from './costs.js'
import { Delays } from './delays.js'
import { intervalOf, type Interval } from './interval.js'
import type { Outage, Scenario } from './scenario.js'
import { Simulation, type Reading } from './simulation.js'

/** The step of the simulation, and so the precision of a drain's end. */
const STEP_SECONDS = 0.25
/** An item that waits for no longer than this beyond the flush interval is on its way. */
const ON_ITS_WAY_SECONDS = 2

/** The recovery from an outage. */
export interface Recovery extends Outage {
  /** Items that waited at the end of the outage, and the bytes of the spool. */
  backlogItems: number
  backlogBytes: number
  /** From the end of the outage to the first items delivered; null when the run has ended before. */
  firstDeliverySeconds: number | null
  /** From the end of the outage until all waiting items were on their way; null when the run has ended before. */
  drainSeconds: number | null
}

export interface Result {
  intervals: Interval[]
  last: Reading
  /** Percentiles of the delays of all delivered items, in milliseconds. */
  p50: number | null
  p99: number | null
  /** The largest backlog at the end of a step. */
  maxBacklogItems: number
  maxBacklogBytes: number
  maxOldestMs: number
  recoveries: Recovery[]
  costs: Costs
}

/** @param every seconds between two lines of the table; @param onInterval is told how many seconds are done */
export async function runScenario (
  scenario: Scenario, every: number, onInterval: (at: number) => Promise<void> = async () => {}
): Promise<Result> {
  const simulation = new Simulation(scenario)
  const all = new Delays()
  let delays = new Delays()
  let before = simulation.read()
  let last = before
  const result: Omit<Result, 'last' | 'costs' | 'p50' | 'p99'> = {
    intervals: [], maxBacklogItems: 0, maxBacklogBytes: 0, maxOldestMs: 0, recoveries: []
  }
  for (let step = 1; step * STEP_SECONDS <= scenario.seconds; step++) {
    simulation.runTo(step * STEP_SECONDS)
    const reading = simulation.read()
    delays.addAll(reading.delays)
    all.addAll(reading.delays)
    result.maxBacklogItems = Math.max(result.maxBacklogItems, backlogOf(reading))
    result.maxBacklogBytes = Math.max(result.maxBacklogBytes, reading.totals.bytes)
    result.maxOldestMs = Math.max(result.maxOldestMs, reading.oldestMs)
    watchRecoveries(result.recoveries, scenario, last, reading)
    last = reading
    if (reading.at % every === 0 || reading.at === scenario.seconds) {
      result.intervals.push(intervalOf(scenario, before, { ...reading, delays }))
      before = reading
      delays = new Delays()
      await onInterval(reading.at)
    }
  }
  return { ...result, last, p50: all.percentile(0.5), p99: all.percentile(0.99), costs: costsOf(scenario, last.totals) }
}

function watchRecoveries (
  recoveries: Recovery[], { outages, flows, flushIntervalMs }: Scenario, before: Reading, reading: Reading
): void {
  const ended = outages.find(({ to }) => before.at < to && reading.at >= to)
  if (ended !== undefined) {
    recoveries.push({
      ...ended,
      backlogItems: backlogOf(reading),
      backlogBytes: reading.totals.bytes,
      firstDeliverySeconds: null,
      drainSeconds: null
    })
  }
  const recovery = recoveries.at(-1)
  if (recovery === undefined) return
  if (reading.totals.delivered > before.totals.delivered) {
    recovery.firstDeliverySeconds ??= Math.max(0, reading.at - recovery.to)
  }
  const perSecond = flows.reduce((sum, flow) => sum + flow.requestsPerSecond * flow.itemsPerRequest, 0)
  const onItsWay = perSecond * (flushIntervalMs / 1_000 + ON_ITS_WAY_SECONDS)
  if (backlogOf(reading) <= onItsWay) recovery.drainSeconds ??= Math.max(STEP_SECONDS, reading.at - recovery.to)
}

function backlogOf ({ totals: { waiting, leased } }: Reading): number {
  return waiting + leased
}

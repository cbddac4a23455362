import type { Evidence } from './evidence.js'
import type { Explainer } from './explain.js'
import type { Attempt, SentRequest } from './load.js'
import type { LedgerReading } from './monitor.js'
import type { FaultMode } from './schedule.js'
import type { FaultWindow } from './timeline.js'
import type { Call } from './witness.js'

/** FaultModes after which CloudWatch has not stored the items of a call, so that they duplicate none by themselves. */
const NEVER_STORE: ReadonlySet<FaultMode> = new Set(
  ['throttle', 'error', 'hang', 'reset', 'denied', 'disk-full', 'spool-full', 'memory-full']
)
/** Examples kept of each kind of failure. */
const MAX_EXAMPLES = 20

export interface Finding {
  count: number
  /** The first few, in words. */
  examples: string[]
}

export interface Verdict {
  items: { planned: number, accepted: number, refused: number, unknown: number, poison: number }
  /** Items with an unknown answer that were stored. */
  unknownStored: number
  /** Accepted items that went with a master before its replica had them; they do not count as lost. */
  unreplicated: number
  /** Copies of items whose request was repeated when no node knew its key any more, as its master had gone likewise. */
  forgotten: number
  /**
   * Items that CloudWatch did not take for the time that a wrong clock had given to them: rejected, or dead letters.
   */
  outOfTime: number
  /** Copies of items that CloudWatch has stored beyond the first one of each. */
  duplicated: number
  /** These copies by the kind of the fault that has left open the first call that CloudWatch may have taken. */
  duplicatedBy: Record<string, number>
  /** Calls that carried items, calls that CloudWatch took, and calls taken that a fault has left open. */
  calls: { total: number, taken: number, open: number }
  refusals: Record<string, number>
  /** Violations of the guarantees; each fails the run. */
  findings: Record<FindingName, Finding>
}

export const FINDINGS = {
  lost: 'accepted, and neither delivered nor rejected nor dead-lettered',
  unexplained: 'delivered again without a fault that explains it',
  ghosts: 'delivered although the client was told that nothing was stored',
  strangers: 'delivered and never sent',
  wrongLetters: 'dead-lettered or rejected although CloudWatch would take it',
  poisonDelivered: 'delivered although CloudWatch refuses it',
  doubleOutcomes: 'in the dead letters more than once, or with two outcomes',
  unexplainedAnswers: 'failures that clients saw without a fault that explains them',
  surprises: 'answers that no client must ever see',
  imbalance: 'in the ledger, against the items found',
  crashes: 'processes that ended by themselves, did not start, or did not stop'
} as const
export type FindingName = keyof typeof FINDINGS

export interface Case {
  requests: readonly SentRequest[]
  items: number
  calls: readonly Call[]
  evidence: Evidence
  /** The last reading of the ledger; null when no gateway answered. */
  ledger: LedgerReading | null
  explainer: Explainer
  surprises: readonly string[]
  crashes: readonly string[]
  seconds: (at: number) => string
}

type Note = (name: FindingName, count: number, example: () => string) => void

/** Compares the answers to clients with the items in CloudWatch and in the dead letters. */
export function judge (facts: Case): Verdict {
  const findings = Object.fromEntries(Object.keys(FINDINGS).map(name => [name, {
    count: 0,
    examples: []
  }])) as unknown as Verdict['findings']
  const note: Note = (name, count, example) => {
    findings[name].count += count
    if (findings[name].examples.length < MAX_EXAMPLES) findings[name].examples.push(example())
  }
  const verdict: Verdict = {
    items: { planned: facts.items, accepted: 0, refused: 0, unknown: 0, poison: 0 },
    unknownStored: 0,
    unreplicated: 0,
    forgotten: 0,
    outOfTime: 0,
    duplicated: 0,
    duplicatedBy: {},
    calls: {
      total: facts.calls.length,
      taken: facts.calls.filter(({ outcome }) => outcome === 'taken').length,
      open: 0
    },
    refusals: {},
    findings
  }
  for (const request of facts.requests) judgeRequest(request, facts, verdict, note)
  judgeDuplicates(facts, verdict, note)
  judgeLedger(facts, verdict, note)
  if (facts.evidence.strangers > 0) {
    note('strangers', facts.evidence.strangers, () => `${facts.evidence.strangers} items`)
  }
  for (const surprise of facts.surprises) note('surprises', 1, () => surprise)
  for (const crash of facts.crashes) note('crashes', 1, () => crash)
  return verdict
}

export function failed ({ findings }: Verdict): FindingName[] {
  return (Object.keys(findings) as FindingName[]).filter(name => findings[name].count > 0)
}

function judgeRequest (
  request: SentRequest, { evidence, explainer, seconds }: Case, verdict: Verdict, note: Note
): void {
  const { first, count, poison, failures } = request
  const answer = request.verdict ?? 'unknown'
  verdict.items[answer] += count
  if (poison) verdict.items.poison += count
  for (let number = first; number < first + count; number++) {
    const stored = evidence.stored[number]!
    const letters = evidence.letters[number]!
    const outOfTime = evidence.outOfTime[number]! > 0
    const kept = stored > 0 || letters > 0 || outOfTime
    const about = (): string =>
      `item ${number}: ${describeRequest(request, seconds)}; delivered ${stored} times, in ${letters} dead letters` +
      (outOfTime ? ', refused for its time' : '')
    if (answer === 'accepted' && !kept) {
      if (explainer.mayHaveLostRecords(request)) verdict.unreplicated++
      else note('lost', 1, about)
    }
    if (answer === 'refused' && kept) note('ghosts', 1, about)
    if (answer === 'unknown' && kept) verdict.unknownStored++
    if (outOfTime && explainer.explainsTime(request)) verdict.outOfTime++
    else if (outOfTime || (!poison && letters > 0)) note('wrongLetters', 1, about)
    if (poison && stored > 0) note('poisonDelivered', 1, about)
    if (letters > 1 || (stored > 0 && (letters > 0 || outOfTime))) note('doubleOutcomes', 1, about)
  }
  if (request.isForgotten && !explainer.mayHaveLostKey(request)) {
    note('surprises', 1, () => `item ${first}: a repeated request was not answered as a repeated one`)
  }
  for (const failure of failures) {
    const name = nameOf(failure)
    verdict.refusals[name] = (verdict.refusals[name] ?? 0) + 1
    if (!explainer.explains(failure)) {
      note('unexplainedAnswers', 1, () => `item ${first}: ${describeAttempt(failure, seconds)}`)
    }
  }
}

/** An item may be sent by any number of open calls, and by one closed call. */
function judgeDuplicates (
  { calls, evidence, explainer, items, requests, seconds }: Case, verdict: Verdict, note: Note
): void {
  const closed = new Uint16Array(items + 1)
  const cause = new Map<number, FaultWindow>()
  const open = new Uint16Array(items + 1)
  for (const call of calls) {
    const fault = explainer.openedBy(call)
    if (fault !== null && call.outcome === 'taken') verdict.calls.open++
    for (const number of call.items) {
      if (fault === null) closed[number]!++
      else if (fault === 'unexplained') continue
      else {
        open[number]!++
        const known = cause.get(number)
        if (known === undefined || NEVER_STORE.has(known.mode)) cause.set(number, fault)
      }
    }
  }
  let next = 0
  for (let number = 1; number <= items; number++) {
    const extra = evidence.stored[number]! - 1
    if (extra <= 0) continue
    verdict.duplicated += extra
    while (next + 1 < requests.length && requests[next + 1]!.first <= number) next++
    let unexplained = Math.max(closed[number]! - 1, extra - open[number]!, 0)
    if (unexplained > 0 && explainer.mayHaveLostKey(requests[next]!)) {
      verdict.forgotten += unexplained
      unexplained = 0
    }
    const by = cause.get(number)?.kind ?? 'none'
    verdict.duplicatedBy[by] = (verdict.duplicatedBy[by] ?? 0) + extra
    if (unexplained > 0) {
      note('unexplained', unexplained, () => describeDuplicate(number, requests, calls, explainer, seconds))
    }
  }
}

/**
 * The counters of a shard are lost with its records, so that an item may have met its outcome and be counted nowhere;
 * and the records of a request whose key was lost are counted with each copy.
 */
function judgeLedger ({ ledger, evidence, explainer, requests }: Case, { forgotten }: Verdict, note: Note): void {
  if (ledger === null) return note('imbalance', 1, () => 'no gateway could tell its ledger')
  const { accepted, delivered, rejected, deadLettered, inSpool } = ledger
  const expect = (label: string, is: number, should: number, least = should, most = should): void => {
    if (is >= least && is <= most) return
    note('imbalance', Math.abs(is - should) || 1, () =>
      `${label}: ${is}, should be ${should} (ledger ${JSON.stringify(ledger)})`)
  }
  let known = 0
  let uncounted = 0
  let uncountedRejected = 0
  const { stored, letters, outOfTime } = evidence
  for (const request of requests) {
    const mayBeUncounted = explainer.mayHaveLostRecords(request)
    for (let number = request.first; number < request.first + request.count; number++) {
      if (stored[number]! + letters[number]! + outOfTime[number]! === 0) continue
      known++
      if (!mayBeUncounted) continue
      uncounted++
      if (outOfTime[number]! > 0) uncountedRejected++
    }
  }
  expect(
    'accepted, against delivered + rejected + dead-lettered + in spool', accepted,
    delivered + rejected + deadLettered + inSpool
  )
  expect(
    'accepted, against the different items that were delivered, rejected or dead-lettered', accepted, known + inSpool,
    known + inSpool - uncounted, known + inSpool + forgotten
  )
  expect(
    'rejected, against the items that CloudWatch has rejected', rejected, evidence.rejected,
    evidence.rejected - uncountedRejected
  )
  expect('dead-lettered, against the items in the dead letters', deadLettered, evidence.deadLetteredItems)
  expect('in the spool', inSpool, 0)
}

function nameOf ({ status, error }: Attempt): string {
  return status === 0 ? 'no answer' : `${status} ${error}`
}

function describeAttempt ({ web, startedAt, endedAt, status, error }: Attempt, seconds: Case['seconds']): string {
  return `${status === 0 ? 'no answer' : status} ${error} from ${web}, ${seconds(startedAt)} to ${seconds(endedAt)} s`
}

function describeRequest (request: SentRequest, seconds: Case['seconds']): string {
  const { kind, destination, key, verdict, answeredAt, failures } = request
  const tries = failures.slice(0, 3).map(failure => describeAttempt(failure, seconds)).join('; ')
  return `${kind} ${destination}${key === null ? '' : ` key ${key}`} ` +
    `${verdict}${answeredAt > 0 ? ` at ${seconds(answeredAt)} s` : ''}${tries === '' ? '' : ` after ${tries}`}`
}

function describeDuplicate (
  number: number, requests: readonly SentRequest[], calls: readonly Call[], explainer: Explainer,
  seconds: Case['seconds']
): string {
  const request = requests.findLast(({ first }) => first <= number)!
  const sent = calls.filter(({ items }) => items.includes(number)).map(call => {
    const fault = explainer.openedBy(call)
    const why = fault === null
      ? 'closed'
      : fault === 'unexplained'
        ? 'open by nothing'
        : `open by #${fault.id} ${fault.kind}`
    return `    ${call.forwarder} ${call.action} ${call.outcome}, ${seconds(call.startedAt)} to ` +
      `${seconds(call.endedAt)} s, ${call.items.length} items, ${why}`
  })
  return [`item ${number}: ${describeRequest(request, seconds)}`, ...sent].join('\n')
}

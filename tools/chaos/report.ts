import type { OutageResult } from './outage.js'
import type { Takeover } from './replicated/takeovers.js'
import type { Result, RunOptions } from './run.js'
import { FINDINGS, type FindingName } from './verdict.js'

const MIB = 1_048_576

type Row = [string, ...string[]]
interface Printer {
  line (text?: string): void
  table (rows: string[][]): void
}

/** Prints the result of a run, and of every failure enough to look for its cause. */
export function report (result: Result, { backend, sync, seed, rate }: RunOptions, print: Printer): void {
  const { verdict, recovery, memory, counts } = result
  const { items } = verdict
  print.line()
  print.table(faultRows(result))
  print.line()
  print.table([
    ['Items', ''],
    ['sent', number(items.planned)],
    ['accepted', number(items.accepted)],
    ['refused (nothing stored)', number(items.refused)],
    ['no answer (may be stored)', `${number(items.unknown)}, ${number(verdict.unknownStored)} of them stored`],
    ['refused by CloudWatch (dead letters)', number(items.poison)],
    ['not taken by CloudWatch, as a wrong clock had dated them', number(verdict.outOfTime)],
    ['lost', number(verdict.findings.lost.count)],
    ...(result.takeovers === null ? [] : lossRows(result, result.takeovers)),
    ['duplicated', number(verdict.duplicated)],
    ['unexplained duplicates', number(verdict.findings.unexplained.count)],
    [
      'calls with items; taken; of those, left open by a fault',
      [verdict.calls.total, verdict.calls.taken, verdict.calls.open].map(number).join('; ')
    ],
    [
      'requests repeated, sent twice at once, answered as repeated',
      [counts.repeated, counts.twins, counts.replayed].map(number).join(', ')
    ],
    ['access tokens', number(counts.tokens)],
    [
      'longest until the next delivery',
      seconds(max(Object.values(recovery).map(({ firstDeliveryMs }) => firstDeliveryMs)))
    ],
    ['longest until nothing was older than 2 s', seconds(max(Object.values(recovery).map(({ freshMs }) => freshMs)))],
    ['drained after the load', result.drainMs === null ? 'never' : seconds(result.drainMs)]
  ])
  print.line()
  print.table(
    [['Failed attempts', ''], ...Object.entries(verdict.refusals).map(([name, count]): Row => [name, number(count)])]
  )
  print.line()
  print.table([
    ['Largest memory', 'resident', 'without mapped files'],
    ...Object.entries(memory).map(([name, { rss, own }]): Row => [name, mib(rss), own === null ? '' : mib(own)])
  ])
  print.line()
  for (const name of result.failed) reportFinding(name as FindingName, result, print)
  const verdictLine = result.failed.length === 0
    ? 'Nothing lost, every duplicate explained, the ledger balances.'
    : `FAILED: ${result.failed.join(', ')}.`
  print.line(verdictLine)
  if (result.folder !== null) print.line(`Logs, timeline and spool are in ${result.folder}`)
  const disk = backend === 'embedded' ? `, disk ${result.disk}` : ''
  print.line(`backend ${backend}, SPOOL_SYNC ${sync}, seed ${seed}, ${rate} items/s${disk}, clocks ${result.clocks}`)
}

/** What is accepted and gone although no guarantee of the store is broken, and how that is known. */
function lossRows ({ verdict }: Result, takeovers: Takeover[]): Row[] {
  const longest = takeovers.map(({ receivedUntil, endedAt }) => endedAt - receivedUntil)
  return [
    [
      'accepted, and gone with a master before its replica had them (by the bytes that each had)',
      number(verdict.unreplicated)
    ],
    ['repeated, and stored again as the key had gone likewise', number(verdict.forgotten)],
    ['replicas that have become masters', number(takeovers.length)],
    ['longest from the last byte that one had to the end of the old master', seconds(max(longest))]
  ]
}

/** Prints how an outage ended. */
export function reportOutage (outage: OutageResult['outage'], print: Printer): void {
  print.line()
  print.table([
    ['Outage of CloudWatch', `${outage.seconds} s`],
    ['waited when it was over', number(outage.backlog)],
    ['until the first delivery', `${outage.firstDeliverySeconds.toFixed(1)} s`],
    ['until no more waited than before', `${outage.drainSeconds.toFixed(1)} s`],
    ['delivered in that time', `${number(Math.round(outage.drainRate))} items/s`],
    ['accepted in that time', `${number(Math.round(outage.intakeRate))} items/s`]
  ])
}

function faultRows ({ faults, recovery, verdict }: Result): Row[] {
  const kinds = [...new Set([...Object.keys(faults), ...Object.keys(verdict.duplicatedBy)])].sort()
  return [
    ['Fault', 'times', 'duplicates', 'next delivery', 'nothing older than 2 s'],
    ...kinds.map((kind): Row => [
      kind,
      String(faults[kind] ?? 0),
      number(verdict.duplicatedBy[kind] ?? 0),
      seconds(recovery[kind]?.firstDeliveryMs),
      seconds(recovery[kind]?.freshMs)
    ])
  ]
}

function reportFinding (name: FindingName, { verdict }: Result, print: Printer): void {
  const { count, examples } = verdict.findings[name]
  print.line(`${name}: ${number(count)} (${FINDINGS[name]})`)
  for (const line of examples.flatMap(example => example.split('\n'))) print.line(`  ${line}`)
  if (count > examples.length) print.line('  …')
  print.line()
}

export function number (value: number): string {
  return value.toLocaleString('en-US')
}

function seconds (ms: number | undefined): string {
  return ms === undefined ? '–' : `${(ms / 1_000).toFixed(1)} s`
}

export function mib (bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`
}

function max (values: Array<number | undefined>): number | undefined {
  const known = values.filter(value => value !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

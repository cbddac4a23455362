import type { LedgerSnapshot } from '../sandbox/ledger.js'
import { percentile, type Comparison } from './read-back.js'
import { count, type Screen } from '../shared/screen.js'
import { BROWSERS, LOG_GROUP, NAMESPACE, SECONDS, type Sent, type Shown } from './shop.js'

function milliseconds (value: number | null): string {
  return value === null ? '' : `${count(value)} ms`
}

function plain (value: number | null): string {
  return value === null ? '' : count(value)
}

function cells ({ name, sent, stored, p50, p99, same }: Comparison, screen: Screen): string[] {
  const show = name.startsWith('PageLoad') ? milliseconds : plain
  const label = p50 === null ? `Log events ${LOG_GROUP} ${name}` : `${NAMESPACE} ${name}`
  const mark = same ? screen.style('green', '✔') : screen.style('red', '✖ differs')
  return [label, count(sent), count(stored), show(p50), show(p99), mark]
}

export function reportTraffic (screen: Screen, sent: Sent, items: number): void {
  const median = percentile(sent.answerMs, 50)
  screen.done(
    `${BROWSERS} browsers in a small shop for ${SECONDS} s: ${count(sent.requests)} requests, ${count(items)} items, ` +
    `answered in ${median.toFixed(1)} ms (median)`
  )
}

/** Prints the items that were sent beside those that CloudWatch returns, and the calls that it took. */
export function reportComparison (screen: Screen, comparisons: Comparison[], ledger: LedgerSnapshot): void {
  const items = comparisons.reduce((sum, { stored }) => sum + stored, 0)
  const calls = Object.entries(ledger.calls)
  const total = calls.reduce((sum, [, number]) => sum + number, 0)
  screen.line()
  screen.line(screen.style('bold', 'Items that were sent, and items that CloudWatch returns'))
  screen.line()
  screen.table([['', 'sent', 'stored', 'p50', 'p99', ''], ...comparisons.map(comparison => cells(comparison, screen))])
  screen.line()
  const made = `${count(items)} items in ${count(total)} calls to CloudWatch`
  screen.line(screen.style('bold', `${made}; one call each would have been ${count(items)}`))
  screen.line(screen.style('dim', calls.map(([action, number]) => `${action} ${number}`).join(' · ')))
}

export function reportSpecials (screen: Screen, badItem: Shown, waited: Shown, waitSeconds: number): void {
  const [rejected] = badItem.body.rejected
  screen.line()
  screen.line(screen.style('bold', 'A bad item does not take the good ones with it'))
  const { index, reason } = rejected!
  screen.line(`${badItem.status}, ${badItem.body.accepted} items accepted, item ${index} rejected (${reason}):`)
  screen.line(rejected!.message)
  screen.line()
  screen.line(screen.style('bold', `With "Prefer: wait=${waitSeconds}" the answer comes after the delivery`))
  const { RequestId } = waited.body.ResponseMetadata
  screen.line(`${waited.status} after ${Math.round(waited.ms)} ms, with AWS's own request id ${RequestId}`)
}

export interface Invitation {
  gatewayUrl: string
  sandboxUrl: string
  clientToken: string
}

/** Prints the commands that the visitor may try. */
export function reportInvitation (screen: Screen, { gatewayUrl, sandboxUrl, clientToken }: Invitation): void {
  const links: [string, string][] = [
    ['Gateway', gatewayUrl],
    ['API documentation', `${gatewayUrl}/documentation`],
    ['Health', `${gatewayUrl}/health/ready`],
    ['Calls to CloudWatch', `${sandboxUrl}/_sandbox/ledger`]
  ]
  const json = "-H 'Content-Type: application/json'"
  const authorization = '-H "Authorization: Bearer $ACCESS_TOKEN"'
  const commands: [string, ...string[]][] = [
    ['A client token, as a server makes it for its page; valid for 24 hours', `CLIENT_TOKEN='${clientToken}'`],
    [
      'Trade it for an access token; valid for an hour',
      `ACCESS_TOKEN=$(curl -s ${gatewayUrl}/token ${json} \\`,
      "  -d '{\"clientToken\":\"'\"$CLIENT_TOKEN\"'\"}' | sed 's/.*:\"\\(.*\\)\".*/\\1/')"
    ],
    [
      'A metric',
      `curl -w '\\n' ${gatewayUrl}/metric ${authorization} ${json} \\`,
      "  -d '{\"params\":{\"Namespace\":\"Mine\",\"MetricData\":[{\"MetricName\":\"Visits\",\"Value\":1,\"Unit\":\"Count\"}]}}'"
    ],
    [
      'A log event, answered after its delivery',
      `curl -w '\\n' ${gatewayUrl}/logEvents ${authorization} ${json} \\`,
      "  -H 'Prefer: wait=5' \\",
      "  -d '{\"logGroupName\":\"/mine\",\"logStreamName\":\"curl\",\"logEvents\":[{\"message\":\"Hello\"}]}'"
    ],
    ['A test metric, which asks for no token', `curl -w '\\n' ${gatewayUrl}/test`]
  ]

  screen.line()
  screen.line(screen.style('bold', 'Your turn'))
  screen.line()
  const width = Math.max(...links.map(([name]) => name.length))
  for (const [name, url] of links) screen.line(`${name.padEnd(width)}   ${screen.style('cyan', url)}`)
  for (const [comment, ...lines] of commands) {
    screen.line()
    screen.line(screen.style('dim', `# ${comment}`))
    for (const line of lines) screen.line(line)
  }
  screen.line()
  screen.line('Ctrl-C ends it.')
}

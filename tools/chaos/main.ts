import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { UsageError } from '../cli/usage-error.js'
import { positiveInteger } from '../shared/options.js'
import { createScreen } from '../shared/screen.js'
import { stopAllProcesses } from '../shared/processes.js'
import { runOutage, type OutageResult } from './outage.js'
import { report, reportOutage } from './report.js'
import { runChaos, type Result, type RunOptions } from './run.js'
import { BACKENDS, FAULTS_PER_MINUTE, type Backend } from './schedule.js'

const USAGE = `Usage: npm run chaos -- [options]

Sends numbered items through real gateways to a CloudWatch sandbox while processes are killed, connections cut and
CloudWatch fails, then compares the accepted items with the delivered ones. Exit code 1 when anything was lost, or
delivered twice without a fault that explains it.

  --backend NAME   embedded, redis (one node), cluster (a Redis Cluster of three masters with a replica each) or
                   sentinel (a master with a replica and three Sentinels); both need redis-server 7 (embedded)
  --sync NAME      SPOOL_SYNC of the gateways: commit or always (cluster and sentinel: always; others: commit). With
                   commit, what a master alone had when its replica took over is counted by itself, not as lost
  --seconds N      how long there are faults (60)
  --seed N         the same seed gives the same faults (1)
  --rate N         items per second (500)
  --faults-per-minute N   on average (20); the calm between two waves of them stays
  --outage N       instead of these faults, CloudWatch is away for N seconds and then back
  --json FILE      writes the result as JSON, too
  --keep           keeps logs and stores, also when nothing has failed
`
const INTERRUPTED = 130
const PLAIN_EVERY_MS = 5_000

const screen = createScreen(process.stdout)

function readOptions () {
  const { values } = parseArgs({
    options: {
      backend: { type: 'string', default: 'embedded' },
      sync: { type: 'string' },
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: '1' },
      rate: { type: 'string', default: '500' },
      'faults-per-minute': { type: 'string', default: String(FAULTS_PER_MINUTE) },
      outage: { type: 'string' },
      json: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return null
  if (!(BACKENDS as readonly string[]).includes(values.backend)) {
    const allowed = `${BACKENDS.slice(0, -1).join(', ')} or ${BACKENDS.at(-1)}`
    throw new UsageError(`--backend must be ${allowed}, not ${values.backend}`)
  }
  const backend = values.backend as Backend
  const sync = values.sync ?? (backend === 'cluster' || backend === 'sentinel' ? 'always' : 'commit')
  if (sync !== 'commit' && sync !== 'always') throw new UsageError(`--sync must be commit or always, not ${sync}`)
  const options: RunOptions = {
    backend,
    sync,
    keep: values.keep,
    seed: positiveInteger('seed', values.seed),
    rate: positiveInteger('rate', values.rate),
    faultsPerMinute: positiveInteger('faults-per-minute', values['faults-per-minute'])
  }
  return {
    options,
    seconds: positiveInteger('seconds', values.seconds),
    outageSeconds: values.outage === undefined ? null : positiveInteger('outage', values.outage),
    json: values.json
  }
}

/** A line that changes on a terminal; elsewhere one every few seconds. */
function createProgress () {
  let describe = (): string => ''
  const timer = process.stdout.isTTY ? null : setInterval(() => screen.line(describe()), PLAIN_EVERY_MS).unref()
  return {
    note (line: string): void {
      screen.line(line)
      screen.progress(describe)
    },
    progress (text: () => string): void {
      describe = text
      screen.progress(text)
    },
    end (): void {
      if (timer !== null) clearInterval(timer)
      screen.end()
    }
  }
}

async function main (): Promise<void> {
  const given = readOptions()
  if (given === null) {
    process.stdout.write(USAGE)
    return
  }
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      interrupt.abort()
      process.once(signal, () => process.exit(INTERRUPTED))
    })
  }
  const progress = createProgress()
  try {
    const { options, seconds, outageSeconds, json } = given
    const result: Result & Partial<OutageResult> = outageSeconds === null
      ? await runChaos({ ...options, seconds }, progress, interrupt.signal)
      : await runOutage({ ...options, outageSeconds }, progress, interrupt.signal)
    progress.end()
    report(result, options, screen)
    if (result.outage !== undefined) reportOutage(result.outage, screen)
    if (json !== undefined) await writeFile(json, JSON.stringify({ options, ...result }, null, 2) + '\n')
    if (result.failed.length > 0) process.exitCode = 1
  } catch (error) {
    progress.end()
    if (!interrupt.signal.aborted) throw error
    screen.line('Interrupted; nothing is left behind')
    process.exitCode = INTERRUPTED
  } finally {
    await stopAllProcesses()
  }
}

main().catch((error: Error) => {
  process.stderr.write(`${error instanceof UsageError ? error.message : error.stack}\n`)
  process.exitCode = 1
})

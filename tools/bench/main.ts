import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Bench, Row } from './bench.js'
import { openBuild, THIS_BUILD } from './builds.js'
import { awsCalls } from './comparison/aws-calls.js'
import type { Comparison } from './comparison/comparison.js'
import { deliveryCost } from './comparison/delivery-cost.js'
import { memoryComparison, startComparison } from './comparison/footprint.js'
import { redisCost } from './comparison/redis-cost.js'
import { requestCost } from './comparison/request-cost.js'
import { createLoad } from './load/index.js'
import { describeMachine, requireRedis } from './machine.js'
import { BenchProcesses } from './bench-processes.js'
import { createProgress } from '../shared/progress.js'
import { describeTable, formatTable, markdownTable } from './table-report.js'
import { calls } from './rows/calls.js'
import { capacity } from './rows/capacity.js'
import { cores } from './rows/cores.js'
import { delivery } from './rows/delivery.js'
import { intake } from './rows/intake.js'
import { latency } from './rows/latency.js'
import { memory } from './rows/memory.js'
import { refused } from './rows/refused.js'
import { scaling } from './rows/scaling.js'
import { start } from './rows/start.js'
import type { Table } from './table.js'

const ROWS: Row[] = [intake, refused, delivery, calls, latency, memory, start, scaling, cores, capacity]
const COMPARISONS: Comparison[] = [
  requestCost, deliveryCost, awsCalls, redisCost, memoryComparison, startComparison
]
const FULL = { rounds: 5, seconds: 2, items: 1_000_000 }
const COMPARED_ROUNDS = 8
const QUICK = { rounds: 1, seconds: 1, items: 50_000 }
const SIGINT_EXIT_CODE = 130

const describe = (rows: Array<{ name: string, title: string }>): string =>
  rows.map(({ name, title }) => `  ${name.padEnd(12)} ${title}`).join('\n')

const USAGE = `Usage: npm run bench -- [row ...] [--quick] [--rounds N] [--json FILE] [--markdown FILE]
       npm run bench -- [row ...] --against FOLDER [--quick] [--rounds N] [--json FILE] [--markdown FILE]

Measures the gateway against the same work done with nothing around it. Everything runs on this machine, on loopback.

${describe(ROWS)}

With --against, measures this checkout and another one, which has been built, in turn:

${describe(COMPARISONS)}

  --quick           short rounds, one unless said otherwise, a twentieth of the items
  --rounds N        rounds of everything that is measured in time (${FULL.rounds}; ${COMPARED_ROUNDS} with --against)
  --against FOLDER  a checkout of another commit, with dist/ and node_modules/
  --json FILE       writes all figures, and the rounds they are made of, to a file
  --markdown FILE   writes the tables as they stand in docs/benchmarks.md
`

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    against: { type: 'string' },
    json: { type: 'string' },
    markdown: { type: 'string' },
    help: { type: 'boolean', default: false }
  }
})

/** @throws Error when there is no row of a name that was given */
function chosen<Named extends { name: string }> (rows: Named[]): Named[] {
  if (positionals.length === 0) return rows
  return positionals.map(name => {
    const row = rows.find(row => row.name === name)
    if (row === undefined) throw new Error(`There is no row "${name}". Rows: ${rows.map(row => row.name).join(', ')}.`)
    return row
  })
}

/** Each chosen row, ready to be run. @throws Error when a row or the other checkout is not there */
function planRows (): { about: Record<string, string>, rows: Array<Pick<Row, 'run'>> } {
  if (options.against === undefined) return { about: {}, rows: chosen(ROWS) }
  const builds = { old: openBuild(options.against), new: THIS_BUILD }
  return {
    about: { old: builds.old.label, new: builds.new.label },
    rows: chosen(COMPARISONS).map(({ run }) => ({ run: bench => run(bench, builds) }))
  }
}

/** @throws Error unless a number of rounds that was given can be run */
function rounds (): number {
  if (options.rounds === undefined) {
    return options.quick ? QUICK.rounds : options.against === undefined ? FULL.rounds : COMPARED_ROUNDS
  }
  if (!/^[1-9]\d{0,2}$/.test(options.rounds)) {
    throw new Error(`--rounds must be an integer from 1 to 999, not ${options.rounds}`)
  }
  return Number(options.rounds)
}

async function main (): Promise<void> {
  const plan = planRows()
  const size = { ...(options.quick ? QUICK : FULL), rounds: rounds() }
  requireRedis()
  const processes = new BenchProcesses()
  for (const signal of [
    'SIGINT', 'SIGTERM', 'SIGHUP'
  ] as const) process.once(signal, () => process.exit(SIGINT_EXIT_CODE))
  const progress = createProgress()
  const load = createLoad(processes)
  const about = {
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
    ...plan.about,
    ...describeMachine(load.generator)
  }
  for (const [name, value] of Object.entries(about)) console.log(`${name}: ${value}`)
  console.log('Ratios are medians of the rounds\' own ratios.')
  if (options.against !== undefined) {
    console.log(
      'The 95 % interval is that of the median ratio, new to old, by the bootstrap; a limit is missed only when the ' +
      'whole interval lies above it.'
    )
  }
  if (options.quick) console.log('Short rounds: they show that everything runs, and are too little to judge by.')
  console.log()

  const bench: Bench = {
    processes,
    load,
    quick: options.quick,
    ...size,
    progress: progress.show,
    reportRound: progress.keep
  }
  const tables: Table[] = []
  for (const row of plan.rows) {
    for (const table of await row.run(bench)) {
      progress.clear()
      console.log(formatTable(table))
      tables.push(table)
    }
    // After each row, so that the figures are kept when the run is ended early.
    if (options.markdown !== undefined) writeFileSync(options.markdown, tables.map(markdownTable).join('\n'))
    if (options.json !== undefined) {
      writeFileSync(options.json, JSON.stringify({
        ...about,
        quick: options.quick,
        tables: tables.map(describeTable)
      }, null, 2))
    }
  }
  processes.close()
}

if (options.help) {
  process.stdout.write(USAGE)
} else {
  // Processes that a failed row has left running end with this process.
  main().then(() => process.exit(), (error: Error) => {
    console.error(error.message)
    process.exit(1)
  })
}

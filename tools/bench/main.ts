import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Bench, Row } from './bench.js'
import { createLoad } from './load/index.js'
import { describeMachine, requireRedis } from './machine.js'
import { Processes } from './processes.js'
import { createProgress } from './progress.js'
import { describeTable, formatTable } from './report.js'
import { calls } from './rows/calls.js'
import { capacity } from './rows/capacity.js'
import { delivery } from './rows/delivery.js'
import { intake } from './rows/intake.js'
import { latency } from './rows/latency.js'
import { memory } from './rows/memory.js'
import { refused } from './rows/refused.js'
import { scaling } from './rows/scaling.js'
import { start } from './rows/start.js'
import type { Table } from './table.js'

const ROWS: Row[] = [intake, refused, delivery, calls, latency, memory, start, scaling, capacity]
const FULL = { rounds: 5, seconds: 2, items: 1_000_000 }
const QUICK = { rounds: 1, seconds: 1, items: 50_000 }
const SIGINT_EXIT_CODE = 130

const USAGE = `Usage: npm run bench -- [row ...] [--quick] [--json FILE]

Measures the gateway against the same work done with nothing around it. Everything runs on this machine, on loopback.

${ROWS.map(({ name, title }) => `  ${name.padEnd(10)} ${title}`).join('\n')}

  --quick      one short round, a twentieth of the items
  --json FILE  writes all figures, and the rounds they are made of, to a file
`

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean', default: false }
  }
})

function chosenRows (): Row[] {
  if (positionals.length === 0) return ROWS
  return positionals.map(name => {
    const row = ROWS.find(row => row.name === name)
    if (row === undefined) throw new Error(`There is no row "${name}". Rows: ${ROWS.map(row => row.name).join(', ')}.`)
    return row
  })
}

async function main (): Promise<void> {
  const rows = chosenRows()
  requireRedis()
  const processes = new Processes()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(SIGINT_EXIT_CODE))
  const progress = createProgress()
  const load = createLoad(processes)
  const about = { command: ['npm run bench --', ...process.argv.slice(2)].join(' '), ...describeMachine(load.generator) }
  for (const [name, value] of Object.entries(about)) console.log(`${name}: ${value}`)
  console.log('Ratios are medians of the rounds\' own ratios.')
  if (options.quick) console.log('One short round: it shows that everything runs, and is too little to judge by.')
  console.log()

  const bench: Bench = { processes, load, quick: options.quick, ...(options.quick ? QUICK : FULL), progress: progress.show }
  const tables: Table[] = []
  for (const row of rows) {
    for (const table of await row.run(bench)) {
      progress.clear()
      console.log(formatTable(table))
      tables.push(table)
    }
    // After each row: what was measured is kept when the run is ended early.
    if (options.json !== undefined) writeFileSync(options.json, JSON.stringify({ ...about, quick: options.quick, tables: tables.map(describeTable) }, null, 2))
  }
  processes.close()
}

if (options.help) {
  process.stdout.write(USAGE)
} else {
  // What a failed row has left running ends with this process.
  main().then(() => process.exit(), (error: Error) => {
    console.error(error.message)
    process.exit(1)
  })
}

import { writeFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { parseArguments } from '../cli/arguments.js'
import { createScreen } from '../shared/screen.js'
import { createProgress } from '../shared/progress.js'
import { readScenario, OPTIONS } from './options.js'
import { costRows, intervalRows, sizeRows, summaryRows } from './report.js'
import { runScenario } from './run.js'
import { scalingTables } from './tables.js'

const SIGINT_EXIT_CODE = 130
const screen = createScreen(process.stdout)

/**
 * The command `simulate`, of which options.ts has the usage.
 * @throws UsageError
 */
export async function simulate (args: string[]): Promise<void> {
  const { values } = parseArguments({ args, options: OPTIONS })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(SIGINT_EXIT_CODE))
  }
  const progress = createProgress()
  // A reader such as `head` closes the pipe.
  process.stdout.once('error', () => process.exit())
  if (values.tables) {
    process.stdout.write(await scalingTables(async label => {
      progress.show(label)
      await turn()
    }))
    return
  }
  const { scenario, every } = readScenario(values)
  const result = await runScenario(scenario, every, async at => {
    if (process.stderr.isTTY) progress.show(`simulated ${at} of ${scenario.seconds} s`)
    // So that Ctrl-C gets through.
    await turn()
  })
  progress.clear()
  for (const rows of [
    intervalRows(result.intervals), summaryRows(result), sizeRows(scenario, result), costRows(result.costs)
  ]) {
    screen.table(rows)
    screen.line()
  }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ scenario, ...result }, null, 2) + '\n')
}

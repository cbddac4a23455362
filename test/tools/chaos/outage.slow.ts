import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { OutageResult } from '../../../tools/chaos/outage.js'
import { runChaos } from '../../helpers/chaos.js'

const RATE = 300

t.test('what has waited during an outage of CloudWatch is delivered under load, and nothing of it twice', { timeout: 100_000 }, async t => {
  const json = join(t.testdir({}), 'result.json')
  const { code, output } = await runChaos(t, ['--outage', '6', '--rate', String(RATE), '--json', json])
  t.equal(code, 0, output)
  const { outage, verdict } = JSON.parse(await readFile(json, 'utf8')) as OutageResult
  t.ok(outage.backlog >= 3 * RATE, `${outage.backlog} items waited`)
  t.equal(verdict.findings.lost.count, 0)
  // A call that was under way when the outage began may have been taken.
  t.equal(verdict.findings.unexplained.count, 0)
})

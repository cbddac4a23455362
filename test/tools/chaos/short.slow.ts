import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Result } from '../../../tools/chaos/run.js'
import { runChaos } from '../../helpers/chaos.js'

/** Seconds with faults; starting, the last deliveries and the end come on top. */
const SECONDS = 60
const MIN_FAULTS = 12
/** Two runs beside each other bring as many items as one did that had the machine to itself. */
const RATE = 150

t.setTimeout(960_000)
t.jobs = 2

interface Case {
  backend: string
  seed: string
  /** Faults that the run must have had. */
  faults: string[]
}

const CASES: Case[] = [
  { backend: 'embedded', seed: '10', faults: [] },
  { backend: 'redis', seed: '1', faults: [] },
  {
    backend: 'cluster',
    seed: '51',
    faults: ['redis-master kill', 'redis-master failover', 'redis-nodes reshard', 'redis-nodes resize']
  },
  { backend: 'sentinel', seed: '139', faults: ['redis-master kill', 'redis-master failover', 'redis-sentinel kill'] }
]

for (const { backend, seed, faults: needed } of CASES) {
  t.test(`${backend}: nothing is lost and every duplicate is explained, whatever fails`, {
    timeout: 220_000, buffered: true
  }, async t => {
    const json = join(t.testdir({}), 'result.json')
    const { code, output } = await runChaos(t, [
      '--backend', backend, '--seconds', String(SECONDS), '--seed', seed, '--rate', String(RATE), '--json', json
    ])
    t.equal(code, 0, output)
    const { verdict, failed, faults } = JSON.parse(await readFile(json, 'utf8')) as Result
    t.same(failed, [])
    t.ok(verdict.items.accepted > 0, 'items were accepted')
    t.equal(verdict.findings.lost.count, 0)
    t.equal(verdict.findings.unexplained.count, 0)
    t.same(needed.filter(kind => faults[kind] === undefined), [])
    t.ok(Object.values(faults).reduce((sum, times) => sum + times, 0) >= MIN_FAULTS, 'there were faults')
  })
}

t.test('a wrong option is named', async t => {
  const { code, output } = await runChaos(t, ['--backend', 'paper'])
  t.equal(code, 1)
  t.match(output, /--backend must be embedded, redis, cluster or sentinel, not paper/)
})

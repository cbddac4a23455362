/**
 * Run as a process of its own, as LMDB writes about damaged bytes to standard error: opens the embedded spool and
 * prints as JSON, for each of so many leases, its items and lines. Arguments: `<dataDir> <options> <count>`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { openEmbeddedSpool } from '../../lib/spool/embedded/embedded-spool.js'
import type { SpoolOptions } from '../../lib/spool/spool.js'

const [dataDir, options, count] = process.argv.slice(2) as [string, string, string]
const spool = await openEmbeddedSpool({ ...JSON.parse(options) as SpoolOptions, dataDir, sync: 'commit' })
const taken = []
while (taken.length < Number(count)) {
  const { lease } = await spool.take('logs')
  if (lease === null) await sleep(5)
  else {
    taken.push({
      items: lease.records.reduce((sum, { items }) => sum + items, 0), lines: lease.records.map(({ line }) => line)
    })
  }
}
await spool.close()
process.stdout.write(JSON.stringify(taken))

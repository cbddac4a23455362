import type { Test } from 'tap'
import { open } from 'lmdb'
import { join } from 'node:path'
import { openEmbeddedSpool } from '../../../../lib/spool/embedded/embedded-spool.js'
import type { SpoolOptions } from '../../../../lib/spool/spool.js'
import { openFixture, spoolContract, type SpoolFixture } from '../contract.js'
import { deadLettersContract } from '../dead-letters-contract.js'
import { ledgerContract } from '../ledger-contract.js'

let directories = 0

async function openSpool (t: Test, options: SpoolOptions): Promise<SpoolFixture> {
  const dataDir = join(t.testdir(), String(directories++))
  return await openFixture(t, () => openEmbeddedSpool({ ...options, dataDir, sync: 'commit' }), async spool => {
    await spool.close()
    const root = open({ path: dataDir, noSubdir: false })
    const entries = root.openDB('entries', { encoding: 'binary' })
    for (const key of Array.from(entries.getKeys())) await entries.put(key, Buffer.from('[[1,\n{"v":\n'))
    await root.close()
  })
}

spoolContract(openSpool)
deadLettersContract(openSpool)
ledgerContract(openSpool)

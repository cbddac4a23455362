import type { Test } from 'tap'
import { open } from 'lmdb'
import { join } from 'node:path'
import { openEmbeddedSpool } from '../../../../lib/spool/embedded/embedded-spool.js'
import type { SpoolOptions } from '../../../../lib/spool/spool.js'
import { spoolContract, type SpoolFixture } from '../contract.js'
import { deadLettersContract } from '../dead-letters-contract.js'
import { ledgerContract } from '../ledger-contract.js'

let directories = 0

async function openSpool (t: Test, options: SpoolOptions): Promise<SpoolFixture> {
  const dataDir = join(t.testdir(), String(directories++))
  const launch = () => openEmbeddedSpool({ ...options, dataDir, sync: 'commit' })
  const fixture: SpoolFixture = {
    spool: await launch(),
    async reopen () {
      await fixture.spool.close()
      fixture.spool = await launch()
      return fixture.spool
    },
    async damage () {
      await fixture.spool.close()
      const root = open({ path: dataDir, noSubdir: false })
      const entries = root.openDB('entries', { encoding: 'binary' })
      for (const key of Array.from(entries.getKeys())) await entries.put(key, Buffer.from('[[1,\n{"v":\n'))
      await root.close()
      fixture.spool = await launch()
      return fixture.spool
    }
  }
  t.teardown(() => fixture.spool.close())
  return fixture
}

spoolContract(openSpool)
deadLettersContract(openSpool)
ledgerContract(openSpool)

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { SpoolOptions } from '../../lib/spool/spool.js'

const SCRIPT = join(import.meta.dirname, 'print-leases.js')
/** A lease that never comes ends it. */
const TIMEOUT_MS = 60_000

/**
 * Takes so many leases of an embedded spool in a process of its own, whose standard error is kept off that of the
 * tests.
 */
export async function takeLeases (
  dataDir: string, options: SpoolOptions, count: number
): Promise<Array<{ items: number, lines: string[] }>> {
  const { stdout } = await promisify(execFile)(
    process.execPath, [SCRIPT, dataDir, JSON.stringify(options), String(count)], { timeout: TIMEOUT_MS }
  )
  return JSON.parse(stdout) as Array<{ items: number, lines: string[] }>
}

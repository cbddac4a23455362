import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import type { SpoolOptions } from '../../lib/spool/spool.js'

const SCRIPT = fileURLToPath(new URL('append-until-killed.js', import.meta.url))

/** Lets a process append until it has acknowledged `after` numbers, kills it, and returns all that it acknowledged. */
export async function killAppender (
  backend: 'lmdb' | 'redis', place: string, options: SpoolOptions, after: number
): Promise<number[]> {
  const child = spawn(process.execPath, [SCRIPT, backend, place, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const acknowledged: number[] = []
  const lines = createInterface(child.stdout)
  lines.on('line', line => {
    acknowledged.push(Number(line))
    if (acknowledged.length === after) child.kill('SIGKILL')
  })
  await Promise.all([once(child, 'exit'), once(lines, 'close')])
  return acknowledged
}

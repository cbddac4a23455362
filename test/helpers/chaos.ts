import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { BUILD, ROOT } from '../../tools/shared/root.js'
import type { Teardown } from './teardown.js'

/** Runs the built harness, as `npm run chaos` does; ended with the test. */
export async function runChaos (t: Teardown, args: string[]): Promise<{ code: number | null, output: string }> {
  const child = spawn(process.execPath, [join(BUILD, 'tools/chaos/main.js'), ...args], {
    cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => child.kill('SIGTERM'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => { output += chunk.toString() })
  }
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => resolve({ code, output }))
  })
}

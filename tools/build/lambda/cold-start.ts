import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { unzipSync } from 'fflate'

const run = promisify(execFile)
const DEFAULT_ROUNDS = 15
const MEASURE = `
const startedAt = performance.now()
import(process.argv[1]).then(() => {
  process.stdout.write(JSON.stringify({ loadMs: performance.now() - startedAt, totalMs: performance.now() }))
  process.exit()
})
`

export interface ColdStart {
  /** Milliseconds to load the function's code; the median. */
  loadMs: number
  /** Milliseconds from the start of Node to a handler that can be called; the median. */
  totalMs: number
}

/**
 * Starts Node anew for each round, as a cold start does, and loads the function from its zip.
 * @param node path of the Node that is measured
 */
export async function measureColdStart (
  zip: string, { node = process.execPath, rounds = DEFAULT_ROUNDS }: { node?: string | undefined, rounds?: number } = {}
): Promise<ColdStart> {
  const folder = await mkdtemp(join(tmpdir(), 'cold-start-'))
  try {
    for (const [name, content] of Object.entries(unzipSync(await readFile(zip)))) {
      await writeFile(join(folder, name), content)
    }
    const starts: ColdStart[] = []
    while (starts.length < rounds) {
      const { stdout } = await run(node, ['-e', MEASURE, join(folder, 'index.mjs')])
      starts.push(JSON.parse(stdout) as ColdStart)
    }
    return { loadMs: median(starts.map(({ loadMs }) => loadMs)), totalMs: median(starts.map(({ totalMs }) => totalMs)) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function median (values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!
}

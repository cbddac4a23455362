import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchProcesses } from '../bench-processes.js'
import { cpuSeconds } from '../process-usage.js'
import type { LoadJob, LoadResult } from './job.js'

/** How often the CPU time of wrk is read, as it cannot be read after wrk has ended. */
const CPU_POLL_MS = 50

/** The version of wrk; null when wrk is not on the PATH. */
export function wrkVersion (): string | null {
  const { stdout, error } = spawnSync('wrk', ['-v'], { encoding: 'utf8' })
  return error === undefined ? /^wrk [^ ]+/.exec(stdout)?.[0] ?? 'wrk' : null
}

function script ({ token, bodies }: LoadJob): string {
  const strings = bodies.map(body => `[==[${body}]==]`)
  return `
wrk.method = 'POST'
wrk.body = ${strings[0]}
wrk.headers['Content-Type'] = 'application/json'
${token === undefined ? '' : `wrk.headers['Authorization'] = 'Bearer ${token}'`}
function done (summary, latency)
  local errors = summary.errors
  local result = '{"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d,"max":%d}'
  io.write(string.format('\\nRESULT ' .. result .. '\\n',
    summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
`
}

/**
 * Sends the first body of a job as fast as it is answered.
 * @param seconds a whole number
 * @throws Error when a connection breaks
 */
export async function runWrk (processes: BenchProcesses, job: LoadJob, seconds: number): Promise<LoadResult> {
  const folder = processes.folder()
  const file = join(folder, 'post.lua')
  writeFileSync(file, script(job))
  const url = `http://127.0.0.1:${job.port}${job.path}`
  const child = spawn('wrk', ['-t', '1', '-c', String(job.connections), '-d', `${seconds}s`, '-s', file, url], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true
  })
  const exited = once(child, 'exit')
  await processes.adopt(child, 'wrk')
  let cpu = 0
  const timer = setInterval(() => {
    try {
      cpu = cpuSeconds(child.pid!)
    } catch {
      // wrk has just ended.
    }
  }, CPU_POLL_MS)
  let output = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) output += chunk
  await exited
  clearInterval(timer)
  processes.removeFolder(folder)
  return readResult(output, cpu)
}

function readResult (output: string, cpuSeconds: number): LoadResult {
  const json = /^RESULT (.*)$/m.exec(output)?.[1]
  if (json === undefined) throw new Error(`wrk has failed:\n${output}`)
  const { requests, microseconds, refused, broken, p50, p99, max } = JSON.parse(json) as Record<string, number>
  if (broken! > 0) throw new Error(`wrk: ${broken} connections broke`)
  return {
    requests: requests!,
    accepted: requests! - refused!,
    seconds: microseconds! / 1_000_000,
    cpuSeconds,
    latency: { p50: p50! / 1_000, p99: p99! / 1_000, max: max! / 1_000 }
  }
}

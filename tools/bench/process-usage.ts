import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Clock ticks per second in /proc, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
const KIB = 1_024

export interface Memory {
  /** Resident bytes. */
  rss: number
  /** Resident bytes of mapped files, which the kernel takes back when it needs them; null where nobody knows. */
  file: number | null
}

function readProc (pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return null
  }
}

function ps (pid: number, column: string): string {
  return execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' }).trim()
}

/** Seconds of CPU that all threads of a process have used. @throws Error when there is no such process */
export function cpuSeconds (pid: number): number {
  const stat = readProc(pid, 'stat')
  if (stat === null) return secondsOf(ps(pid, 'time'))
  // The name of the program may hold spaces; the fields are counted after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Seconds of a time that ps has written: `[[days-]hours:]minutes:seconds[.hundredths]`. */
function secondsOf (time: string): number {
  const [clock, days] = time.split('-').reverse() as [string, string?]
  return Number(days ?? 0) * 86_400 + clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
}

/** @throws Error when there is no such process */
export function memoryOf (pid: number): Memory {
  const status = readProc(pid, 'status')
  if (status === null) return { rss: Number(ps(pid, 'rss')) * KIB, file: null }
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * KIB
  return { rss: field('VmRSS'), file: field('RssFile') + field('RssShmem') }
}

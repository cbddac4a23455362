import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { LoadMessage } from '../children/load.js'
import { BUILD } from '../../shared/root.js'
import type { BenchProcesses } from '../bench-processes.js'
import type { LoadEnd, LoadJob, LoadResult } from './job.js'
import { runWrk, wrkVersion } from './wrk.js'

export type { LoadJob, LoadResult } from './job.js'

/** Sends requests from processes of their own. */
export interface Load {
  /** The program that sends the requests of `peak`. */
  generator: string
  /** Sends requests as fast as they are answered, for so many seconds. */
  peak (job: LoadJob, seconds: number): Promise<LoadResult>
  /** Sends so many requests, as fast as they are answered. @throws Error unless all are accepted */
  all (job: LoadJob, amount: number): Promise<LoadResult>
  /** Sends requests at an even rate per second. */
  paced (job: LoadJob, rate: number, seconds: number): Promise<LoadResult>
}

/** A load of `wrk` where it is installed and can make the load, else of a client of our own. */
export function createLoad (processes: BenchProcesses): Load {
  const wrk = wrkVersion()
  const own = (job: LoadJob, end: LoadEnd): Promise<LoadResult> => runOwnClient(processes, job, end)
  return {
    generator: wrk ?? 'own client (wrk is not on the PATH)',
    peak: (job, seconds) => wrk === null ? own(job, { seconds }) : runWrk(processes, job, seconds),
    async all (job, amount) {
      const result = await own(job, { amount })
      if (result.accepted < amount) throw new Error(`${amount - result.accepted} of ${amount} requests were refused`)
      return result
    },
    paced: (job, rate, seconds) => own(job, { rate, seconds })
  }
}

async function runOwnClient (processes: BenchProcesses, job: LoadJob, end: LoadEnd): Promise<LoadResult> {
  const child = fork(join(BUILD, 'tools/bench/children/load.js'), { detached: true })
  const answer = once(child, 'message') as Promise<[LoadMessage]>
  const ended = once(child, 'exit').then((): never => {
    throw new Error('the load generator has ended without a result')
  })
  await processes.adopt(child, 'the load generator')
  child.send([job, end])
  const [message] = await Promise.race([answer, ended])
  ended.catch(() => {})
  if ('error' in message) throw new Error(`the load generator has failed: ${message.error}`)
  return message.result
}

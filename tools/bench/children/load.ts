/** Runs one load in a process of its own, so that its CPU time is its own. */
import { runLoad } from '../load/own-client.js'
import type { LoadEnd, LoadJob, LoadResult } from '../load/job.js'

/** The message that goes back over the channel of the child. */
export type LoadMessage = { result: LoadResult } | { error: string }

process.once('message', async ([job, end]: [LoadJob, LoadEnd]) => {
  const message: LoadMessage = await runLoad(job, end).then(
    result => ({ result }), (error: Error) => ({ error: error.message })
  )
  process.send!(message, () => process.disconnect())
})

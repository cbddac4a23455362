/** What a thread runs that delivers to AWS. */
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { API_TPS, type PacedApi } from '../lib/limits.js'
import { serveSinks } from '../lib/sinks/thread/serve-sinks.js'
import { createAwsSinks, type AwsSettings } from './aws-sinks.js'

/** Where there are too few cores requests come first: somebody waits for them, while what is to be delivered is stored. */
const NICENESS = 5

// On Linux the priority of process 0 is that of the calling thread; elsewhere it is everybody's, or may not be changed.
if (process.platform === 'linux') setPriority(NICENESS)

serveSinks(parentPort!, Object.keys(API_TPS) as PacedApi[], options => {
  const { metrics, logs } = createAwsSinks({ ...workerData as AwsSettings, ...options })
  return [metrics, logs]
})

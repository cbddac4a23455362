/**
 * Run as a process of its own: appends numbered records as fast as it can and prints each number that the spool has
 * acknowledged, until it is killed. Arguments: `lmdb <dataDir> <options>` or `redis <url> <options>`, the options as
 * JSON.
 */
import { Redis } from 'ioredis'
import { writeSync } from 'node:fs'
import { openEmbeddedSpool } from '../../lib/spool/embedded/embedded-spool.js'
import { openRedisSpool } from '../../lib/spool/redis/redis-spool.js'
import type { SpoolOptions } from '../../lib/spool/spool.js'

const CALLERS = 8

const [backend, place, json] = process.argv.slice(2) as [string, string, string]
const options = JSON.parse(json) as SpoolOptions
const spool = backend === 'lmdb'
  ? await openEmbeddedSpool({ ...options, dataDir: place, sync: 'commit' })
  : await openRedisSpool({ ...options, redis: new Redis(place), shards: 2, sync: 'commit' })

/** Before anything else happens, or a number that was acknowledged could go unsaid. */
function print (text: string): void {
  for (;;) {
    try {
      writeSync(1, text)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}

let next = 0
await Promise.all(Array.from({ length: CALLERS }, async () => {
  for (;;) {
    const number = next++
    await spool.append({
      kind: 'logs',
      destination: `d${number % 3}`,
      records: [0, 1].map(half => ({ line: JSON.stringify({ name: `${number}.${half}` }), items: 1, bytes: 100 }))
    })
    print(`${number}\n`)
  }
}))

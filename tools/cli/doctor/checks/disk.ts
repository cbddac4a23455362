import { existsSync, readdirSync, statfsSync, statSync } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { monotonicNow } from '../../../../lib/clock.js'
import { freeBytes, LOW_BYTES, neededBytes } from '../../../../lib/spool/embedded/disk.js'
import type { Check } from '../check.js'
import type { Context } from '../context.js'
import { fault, ok, warning, type Finding } from '../report.js'

const MIB = 2 ** 20
const SYNCS = 9
/** The size of a small append. */
const SYNC_BYTES = 4_096
/** With SPOOL_SYNC=always each group of requests waits for a sync, else the journal is synced every 100 ms. */
const SLOW_SYNC_MS = { always: 20, commit: 100 }

/** Kinds of file systems by their number in Linux (statfs(2)), and what they mean for the spool. */
const FILE_SYSTEMS: Record<number, { name: string, keeps: boolean, meaning: string }> = {
  0x6969: { name: 'NFS', keeps: false, meaning: 'the spool needs a local disk' },
  0xff534d42: { name: 'CIFS', keeps: false, meaning: 'the spool needs a local disk' },
  0xfe534d42: { name: 'SMB', keeps: false, meaning: 'the spool needs a local disk' },
  0x01021994: { name: 'tmpfs', keeps: true, meaning: 'what waits is gone with the memory of the machine' },
  0x794c7630: { name: 'overlay', keeps: true, meaning: 'what waits is gone with the container' }
}
const VOLUME_MEND = 'Put DATA_DIR on a volume of a local disk.'

function mebibytes (bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`
}

/** The folder itself, or the nearest one above it that is there. */
function nearestFolder (folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestFolder(dirname(folder))
}

function checkFileSystem (folder: string): Finding[] {
  const kind = FILE_SYSTEMS[statfsSync(folder).type]
  if (kind === undefined) return []
  const finding = `${folder} is on ${kind.name}: ${kind.meaning}`
  return [kind.keeps ? warning('file system', finding, VOLUME_MEND) : fault('file system', finding, VOLUME_MEND)]
}

function usedBytes (folder: string): number {
  return readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, { name }) => sum + statSync(join(folder, name)).size, 0)
}

function checkSpace (folder: string, isThere: boolean, maxBytes: number): Finding {
  const free = freeBytes(folder)
  const mend = 'Free space, use a larger disk, or lower SPOOL_MAX_BYTES.'
  if (free < LOW_BYTES) {
    return fault('disk space', `${mebibytes(free)} left: the spool takes nothing below ${mebibytes(LOW_BYTES)}`, mend)
  }
  const missing = neededBytes(maxBytes) - free - (isThere ? usedBytes(folder) : 0)
  const finding = `${mebibytes(free)} left; SPOOL_MAX_BYTES may come to need ${mebibytes(neededBytes(maxBytes))}`
  return missing > 0 ? warning('disk space', `${finding}, so the disk is full first`, mend) : ok('disk space', finding)
}

/** Writes and syncs a file in a folder of its own, which is removed. @returns the median in milliseconds */
async function measureSync (folder: string): Promise<number> {
  const own = await mkdtemp(join(folder, '.doctor-'))
  try {
    const file = await open(join(own, 'sync'), 'w')
    try {
      const times: number[] = []
      for (let i = 0; i < SYNCS; i++) {
        const startedAt = monotonicNow()
        await file.write(Buffer.alloc(SYNC_BYTES))
        await file.datasync()
        times.push(monotonicNow() - startedAt)
      }
      return times.sort((a, b) => a - b)[Math.floor(SYNCS / 2)]!
    } finally {
      await file.close()
    }
  } finally {
    await rm(own, { recursive: true, force: true })
  }
}

async function checkWrites (folder: string, { config }: Context): Promise<Finding[]> {
  let sync: number
  try {
    sync = await measureSync(folder)
  } catch (error) {
    const mend = 'Make it writable for the user that the gateway runs as, or set DATA_DIR to another folder.'
    return [fault('DATA_DIR', `${folder} cannot be written to: ${(error as Error).message}`, mend)]
  }
  const finding = `${sync.toFixed(1)} ms (SPOOL_SYNC=${config.SPOOL_SYNC})`
  return [
    ok('DATA_DIR', `${folder} can be written to`),
    sync < SLOW_SYNC_MS[config.SPOOL_SYNC]
      ? ok('sync of the disk', finding)
      : warning('sync of the disk', `${finding}, for which requests wait`, 'Use a faster disk.')
  ]
}

/** The disk under the embedded spool. */
export const disk: Check = {
  name: 'disk',
  async run (context) {
    const { config } = context
    if (config.REDIS_URL !== undefined) return [ok('disk', 'not used: items wait in Redis')]
    const folder = resolve(config.DATA_DIR)
    const nearest = nearestFolder(folder)
    if (!statSync(nearest).isDirectory()) {
      return [fault('DATA_DIR', `${nearest} is a file, and no folder`, 'Set DATA_DIR to a folder, or remove the file.')]
    }
    return [
      ...await checkWrites(nearest, context), ...checkFileSystem(nearest),
      checkSpace(nearest, nearest === folder, config.SPOOL_MAX_BYTES)
    ]
  }
}

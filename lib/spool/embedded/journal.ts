import {
  close, closeSync, fdatasync, ftruncate, openSync, readdirSync, readFileSync, rmSync, writev, writevSync
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { crc32 } from 'node:zlib'
import { monotonicNow } from '../../clock.js'
import type { MonotonicMs } from '../../../schemas/common.js'

const FILE_NAME = /^journal-\d{15}$/
/** Frames reach the disk after this time at the latest, unless each waits for the disk. */
const SYNC_MS = 100
/** Nobody else reads the items of others. */
const FILE_MODE = 0o600
/** After this many bytes a file is followed by another, and is removed when the tables have all of its frames. */
const MAX_FILE_BYTES = 8 * 2 ** 20
/** A larger frame is written by another thread, so that it does not hold the event loop. */
const MAX_SYNC_WRITE_BYTES = 2 ** 20
/**
 * A write that takes longer waits for a disk that cannot keep up; for a while the next writes wait in another thread.
 */
const SLOW_WRITE_MS = 10
const SLOW_FOR_MS = 1_000
/** The start of every frame; UTF-8 never holds its first byte. */
const MAGIC = Buffer.from([0xff, 0x50, 0x4a, 0x01])
/**
 * Offsets of the number (double), the bytes of the body, the items, and the checksum over header and body (32 bits
 * each).
 */
const HEADER = { NUMBER: 4, BYTES: 12, ITEMS: 16, CHECKSUM: 20, SIZE: 24 } as const

const writevAt = promisify(writev)
const truncate = promisify(ftruncate)
const sync = promisify(fdatasync)
const closeLater = promisify(close)

/** The content of one write. */
export interface Frame {
  /** Grows by one with each frame. */
  number: number
  items: number
  body: Buffer
  /** False when the body is not as it was written. */
  intact: boolean
}

interface JournalFile {
  path: string
  /** Number of its youngest frame. */
  last: number
  /** Null once another file has followed it. */
  fd: number | null
}

/**
 * Files that make a frame durable with one write, until the tables have its content.
 *
 * A frame that has been written survives the end of the process, and a tenth of a second later a power cut too. A frame
 * whose write did not end, because the process or the disk did, is not read back.
 */
export class Journal {
  readonly #directory: string
  readonly #sync: boolean
  readonly #now: () => MonotonicMs
  /** Oldest first; the last one takes the next frame while it has a descriptor. */
  readonly #files: JournalFile[] = []
  /** Removals and syncs that are under way. */
  readonly #chores = new Set<Promise<void>>()
  /** Bytes of the last file. */
  #position = 0
  #last: number
  #syncTimer: NodeJS.Timeout | null = null
  /** Until then another thread writes. */
  #slowUntil: MonotonicMs = -Infinity
  /** Syncs that are under way. */
  #syncing = 0
  /** The disk did not confirm the last frames; the next append throws this. */
  #syncError: Error | null = null

  /**
   * @param stored the youngest frame whose content the tables have
   * @param sync whether each frame waits for the disk
   */
  constructor (directory: string, stored: number, sync: boolean, now: () => MonotonicMs = monotonicNow) {
    this.#directory = directory
    this.#sync = sync
    this.#now = now
    this.#last = stored
  }

  /** Number of the youngest frame. */
  get last (): number {
    return this.#last
  }

  /** The frames of earlier processes whose content the tables do not have; call it once, before the first append. */
  * recover (): Generator<Frame> {
    const stored = this.#last
    for (const name of readdirSync(this.#directory).filter(name => FILE_NAME.test(name)).sort()) {
      const path = join(this.#directory, name)
      const frames = [...readFrames(readFileSync(path))].filter(({ number }) => number > stored)
      // The next file may get the same name.
      if (frames.length === 0) rmSync(path, { force: true })
      for (const frame of frames) {
        this.#last = Math.max(this.#last, frame.number)
        yield frame
      }
      if (frames.length > 0) this.#files.push({ path, last: this.#last, fd: null })
    }
  }

  /**
   * Resolves with the number of the frame when it is durable. Not to be called again before.
   * @throws Error of the file system; then nothing was written
   */
  async append (body: Buffer, items: number): Promise<number> {
    this.#throwSyncError()
    const number = this.#last + 1
    const frame: [Buffer, Buffer] = [header(number, body, items), body]
    const file = this.#current(number)
    try {
      const bytesWritten = await this.#write(file.fd!, frame)
      if (bytesWritten < HEADER.SIZE + body.length) throw new Error('no space left on the device')
      if (this.#sync) await sync(file.fd!)
      else this.#syncSoon()
    } catch (error) {
      await truncate(file.fd!, this.#position).catch(() => {})
      throw error
    }
    file.last = this.#last = number
    this.#position += HEADER.SIZE + body.length
    return number
  }

  /**
   * Writes at once, but in another thread while the disk is slow or being synced, as the write may have to wait then.
   * @returns bytes written
   */
  #write (fd: number, frame: [header: Buffer, body: Buffer]): number | Promise<number> {
    const began = this.#now()
    if (this.#syncing > 0 || began < this.#slowUntil || frame[1].length > MAX_SYNC_WRITE_BYTES) {
      return writevAt(fd, frame, this.#position).then(({ bytesWritten }) => bytesWritten)
    }
    const bytesWritten = writevSync(fd, frame, this.#position)
    const ended = this.#now()
    if (ended - began > SLOW_WRITE_MS) this.#slowUntil = ended + SLOW_FOR_MS
    return bytesWritten
  }

  /** The tables have the frames up to this one; removes the files that have no other. */
  stored (number: number): void {
    while (this.#files[0] !== undefined && this.#files[0].fd === null && this.#files[0].last <= number) {
      this.#track(remove(this.#files.shift()!.path))
    }
  }

  /** Closes the files; removes those of which the tables have all frames. */
  async close (stored: number): Promise<void> {
    clearTimeout(this.#syncTimer ?? undefined)
    await Promise.all(this.#chores)
    for (const { path, last, fd } of this.#files.splice(0)) {
      if (fd !== null && last > stored) await this.#syncFile(fd)
      if (fd !== null) closeSync(fd)
      if (last <= stored) await remove(path)
    }
  }

  #track (work: Promise<void>): void {
    const chore = work.finally(() => this.#chores.delete(chore))
    this.#chores.add(chore)
  }

  #syncSoon (): void {
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = null
      const fd = this.#files.at(-1)?.fd
      if (fd != null) this.#track(this.#syncFile(fd))
    }, SYNC_MS).unref()
  }

  async #syncFile (fd: number): Promise<void> {
    this.#syncing++
    await sync(fd).catch((error: Error) => { this.#syncError = error })
    this.#syncing--
  }

  #throwSyncError (): void {
    const error = this.#syncError
    this.#syncError = null
    if (error !== null) throw error
  }

  #current (number: number): JournalFile {
    const current = this.#files.at(-1)
    if (current !== undefined && current.fd !== null) {
      if (this.#position < MAX_FILE_BYTES) return current
      const { fd } = current
      this.#track(this.#syncFile(fd).then(() => closeLater(fd)).catch(() => {}))
      current.fd = null
    }
    const path = join(this.#directory, `journal-${String(number).padStart(15, '0')}`)
    const file = { path, last: this.#last, fd: openSync(path, 'w', FILE_MODE) }
    this.#files.push(file)
    this.#position = 0
    return file
  }
}

/** A file that cannot be removed does no harm: its frames are not read again. */
function remove (path: string): Promise<void> {
  return rm(path, { force: true }).catch(() => {})
}

function header (number: number, body: Buffer, items: number): Buffer {
  const header = Buffer.alloc(HEADER.SIZE)
  MAGIC.copy(header)
  header.writeDoubleLE(number, HEADER.NUMBER)
  header.writeUInt32LE(body.length, HEADER.BYTES)
  header.writeUInt32LE(items, HEADER.ITEMS)
  header.writeUInt32LE(checksum(header, body), HEADER.CHECKSUM)
  return header
}

function checksum (header: Buffer, body: Buffer): number {
  return crc32(body, crc32(header.subarray(0, HEADER.CHECKSUM)))
}

/** Bytes between two frames come as a frame that is not intact, with the number of the frame behind them. */
function * readFrames (bytes: Buffer): Generator<Frame> {
  let end = 0
  for (let at = bytes.indexOf(MAGIC); at !== -1; at = bytes.indexOf(MAGIC, at + 1)) {
    if (at < end) continue
    const frame = readFrame(bytes, at)
    if (frame === null) continue
    const { number } = frame
    if (at > end && bytes.subarray(end, at).some(byte => byte !== 0)) {
      yield { number, items: 0, body: bytes.subarray(end, at), intact: false }
    }
    yield frame
    end = frame.end
  }
}

/** Null for a frame that does not end: its write was not finished, and no append has resolved for it. */
function readFrame (bytes: Buffer, at: number): Frame & { end: number } | null {
  if (at + HEADER.SIZE > bytes.length) return null
  const head = bytes.subarray(at, at + HEADER.SIZE)
  const end = at + HEADER.SIZE + head.readUInt32LE(HEADER.BYTES)
  if (end > bytes.length) return null
  const body = bytes.subarray(at + HEADER.SIZE, end)
  const intact = checksum(head, body) === head.readUInt32LE(HEADER.CHECKSUM)
  return { number: head.readDoubleLE(HEADER.NUMBER), items: head.readUInt32LE(HEADER.ITEMS), body, intact, end }
}

import { spawnSync } from 'node:child_process'
import {
  accessSync, chmodSync, closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, readdirSync, readSync,
  rmSync, statfsSync, writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { SpoolConfigurationError } from '../spool.js'

const DATA_FILE = 'data.mdb'
/** Is there while the data file is opened. */
const OPENING_FILE = 'opening'
const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600
/** To create empty files, which LMDB maps into memory: it does not survive a disk that has no room for them. */
const FIRST_START_BYTES = 4 * 2 ** 20

/** The first two pages of a data file, which LMDB maps at once. */
const HEADER_BYTES = 8_192
/** The pages at the beginning of a data file of LMDB that hold no table. */
const META_PAGES = 2
/**
 * The fields of each of the two pages, as this version of LMDB writes them on a little-endian machine. In the middle of
 * the first page stand the fields of the state that has reached the disk, without their beginning, or zeros.
 */
const META = {
  BYTES: 160,
  FLAGS_OFFSET: 18,
  IS_META: 0x08,
  MAGIC_OFFSET: 24,
  MAGIC: 0xBEEFC0DE,
  VERSION_OFFSET: 28,
  VERSION: 2,
  PAGE_SIZE_OFFSET: 48,
  LAST_PAGE_OFFSET: 144,
  TRANSACTION_OFFSET: 152
}
/** Errors of LMDB about pages: not found, of a wrong kind, of another version, or none of its own. */
const DAMAGE_CODES: ReadonlySet<unknown> = new Set([-30797, -30796, -30794, -30793])
const PAGE_SIZES: ReadonlySet<number> = new Set([512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768, 65_536])
/** Reads every entry of the folder that it is given. */
const PROBE = `import(process.argv[1]).then(({ open }) => {
  const root = open({ path: process.argv[2], noSubdir: false, readOnly: true })
  const names = [...root.getKeys()]
  // A file with more than its head has tables, and a damaged root may show none.
  if (names.length === 0) process.exit(1)
  for (const name of names) {
    for (const _ of root.openDB(String(name), { encoding: 'binary', keyEncoding: 'binary' }).getRange()) ;
  }
})`
const PROBE_TIMEOUT_MS = 120_000

/**
 * Creates the directory when it is missing, and lets nobody else read it.
 * @throws SpoolConfigurationError when it cannot be written, or its data file is none of LMDB, or seen to be damaged
 */
export function prepareDirectory (directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE })
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new SpoolConfigurationError(
      `the spool cannot write to ${directory} (DATA_DIR): ${(error as Error).message}: let the user${userInWords()} ` +
        'write there, or set DATA_DIR to another directory', { cause: error }
    )
  }
  keepPrivate(directory)
  const path = join(directory, DATA_FILE)
  if (!existsSync(path)) return checkSpace(directory)
  // LMDB ends the process when it opens a file that it has not written, or of which a part is missing.
  const fault = faultOf(path, directory)
  if (fault !== null) throw faultError(path, fault)
}

/** Where users have numbers. */
function userInWords (): string {
  return process.getuid === undefined ? '' : ` ${process.getuid()}`
}

function faultError (path: string, fault: string, cause?: unknown): SpoolConfigurationError {
  return new SpoolConfigurationError(
    `${path} (DATA_DIR) ${fault}: move it away, or set DATA_DIR to another directory`, { cause }
  )
}

/** An error of LMDB about a damaged page as one that names the file; any other as it is. */
export function nameDamage (directory: string, error: unknown): unknown {
  const { code, message } = (
    error instanceof SpoolConfigurationError ? error.cause ?? error : error
  ) as NodeJS.ErrnoException
  return DAMAGE_CODES.has(code) ? faultError(join(directory, DATA_FILE), `is damaged: ${message}`, error) : error
}

/**
 * Leaves a note while the data file is opened: LMDB may end the process when a page of it is damaged, and the next
 * process then looks before it opens it.
 * @returns takes the note away
 */
export function noteOpening (directory: string): () => void {
  const path = join(directory, OPENING_FILE)
  try {
    writeFileSync(path, '', { mode: FILE_MODE })
  } catch {
    // A disk without room for a name must not keep what is stored from being delivered.
  }
  return () => rmSync(path, { force: true })
}

/** Takes the rights of others away. A file of another user is left as it is. */
export function keepPrivate (directory: string): void {
  setMode(directory, DIRECTORY_MODE)
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isFile()) setMode(join(directory, entry.name), FILE_MODE)
  }
}

function setMode (path: string, mode: number): void {
  try {
    chmodSync(path, mode)
  } catch {
    // A volume that somebody else has mounted, or a file that is gone by now.
  }
}

function checkSpace (directory: string): void {
  const { bavail, bsize } = statfsSync(directory)
  if (bavail * bsize >= FIRST_START_BYTES) return
  throw new SpoolConfigurationError(
    `the disk under ${directory} (DATA_DIR) is full: ${bavail * bsize} bytes are left, and an empty spool takes ` +
      `${FIRST_START_BYTES}: make room, or set DATA_DIR to another directory`
  )
}

/** Null for a data file that LMDB can open. */
function faultOf (path: string, directory: string): string | null {
  const header = Buffer.alloc(HEADER_BYTES)
  let size
  try {
    const file = openSync(path, 'r')
    size = fstatSync(file).size
    const length = readSync(file, header)
    closeSync(file)
    if (length === 0) return null
  } catch (error) {
    return `cannot be read (${(error as Error).message})`
  }
  const needed = size < HEADER_BYTES ? null : neededBytes(header)
  if (needed === null) return 'is not a spool, or it is damaged'
  // Its creation was broken off: there is nothing to lose.
  if (needed === META_PAGES * header.readUInt32LE(META.PAGE_SIZE_OFFSET)) return null
  // The last pages may never have been written, and then nothing reads them.
  const isWhole = size >= needed
  if (isWhole && !existsSync(join(directory, OPENING_FILE))) return null
  if (isReadable(directory)) return null
  return isWhole ? 'is damaged: a process that reads it ends' : `is damaged: ${size} of ${needed} bytes are there`
}

/** The bytes of all pages that the last transaction knows; null when this is the beginning of no data file. */
function neededBytes (header: Buffer): number | null {
  const pageSize = header.readUInt32LE(META.PAGE_SIZE_OFFSET)
  if (!PAGE_SIZES.has(pageSize)) return null
  const isThere = (at: number): boolean => at + META.BYTES <= header.length
  const metas = [0, pageSize].filter(isThere).map(at => readMeta(header.subarray(at)))
  const synced = isThere(pageSize / 2) ? header.readUInt32LE(pageSize / 2 + META.PAGE_SIZE_OFFSET) : 0
  if (metas.some(meta => meta?.pageSize !== pageSize) || (synced !== 0 && synced !== pageSize)) return null
  const { lastPage } = metas.reduce((newest, meta) => meta!.transaction > newest!.transaction ? meta : newest)!
  return (lastPage + 1) * pageSize
}

/** Null when it is none. */
function readMeta (page: Buffer): { pageSize: number, lastPage: number, transaction: bigint } | null {
  const isMeta = (page.readUInt16LE(META.FLAGS_OFFSET) & META.IS_META) !== 0 &&
    page.readUInt32LE(META.MAGIC_OFFSET) === META.MAGIC &&
    page.readUInt32LE(META.VERSION_OFFSET) === META.VERSION
  if (!isMeta) return null
  return {
    pageSize: page.readUInt32LE(META.PAGE_SIZE_OFFSET),
    lastPage: Number(page.readBigUInt64LE(META.LAST_PAGE_OFFSET)),
    transaction: page.readBigUInt64LE(META.TRANSACTION_OFFSET)
  }
}

/** Whether a process of its own survives to read all entries. */
function isReadable (directory: string): boolean {
  const { status } = spawnSync(process.execPath, ['-e', PROBE, import.meta.resolve('lmdb'), directory], {
    timeout: PROBE_TIMEOUT_MS, stdio: 'ignore'
  })
  return status === 0
}

import { spawnSync } from 'node:child_process'
import { accessSync, chmodSync, closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, readdirSync, readSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { SpoolConfigurationError } from '../spool.js'

const DATA_FILE = 'data.mdb'
const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600
/** To create empty files, which LMDB maps into memory: it does not survive a disk that has no room for them. */
const FIRST_START_BYTES = 4 * 2 ** 20

/** The first two pages of a data file, as this version of LMDB writes them on a little-endian machine. */
const HEADER = { BYTES: 8_192, MAGIC_OFFSET: 24, MAGIC: 0xBEEFC0DE, VERSION_OFFSET: 28, VERSION: 2, PAGE_SIZE_OFFSET: 48 }
/** In each of the two: the last page that its transaction knows, and its transaction. */
const META = { LAST_PAGE_OFFSET: 144, TRANSACTION_OFFSET: 152 }
/** Reads every entry of the folder that it is given. */
const PROBE = `import(process.argv[1]).then(({ open }) => {
  const root = open({ path: process.argv[2], noSubdir: false, readOnly: true })
  for (const name of root.getKeys()) for (const _ of root.openDB(String(name), { encoding: 'binary', keyEncoding: 'binary' }).getRange()) ;
})`
const PROBE_TIMEOUT_MS = 120_000

/**
 * Creates the directory when it is missing, and lets nobody else read it.
 * @throws SpoolConfigurationError when it cannot be written, or its data file is none of LMDB, or damaged
 */
export function prepareDirectory (directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE })
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new SpoolConfigurationError(`the spool cannot write to ${directory} (DATA_DIR): ${(error as Error).message}`, { cause: error })
  }
  keepPrivate(directory)
  const path = join(directory, DATA_FILE)
  if (!existsSync(path)) return checkSpace(directory)
  // LMDB ends the process when it opens a file that it has not written, or of which a part is missing.
  const fault = faultOf(path, directory)
  if (fault !== null) throw new SpoolConfigurationError(`${path} (DATA_DIR) ${fault}: move it away, or set DATA_DIR to another directory`)
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
  throw new SpoolConfigurationError(`the disk under ${directory} (DATA_DIR) is full: ${bavail * bsize} bytes are left, and an empty spool takes ${FIRST_START_BYTES}: make room, or set DATA_DIR to another directory`)
}

/** Null for a data file that LMDB can open. */
function faultOf (path: string, directory: string): string | null {
  const header = Buffer.alloc(HEADER.BYTES)
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
  const isDataFile = size >= HEADER.BYTES &&
    header.readUInt32LE(HEADER.MAGIC_OFFSET) === HEADER.MAGIC &&
    header.readUInt32LE(HEADER.VERSION_OFFSET) === HEADER.VERSION
  if (!isDataFile) return 'is not a spool, or it is damaged'
  const needed = neededBytes(header)
  // The last pages may never have been written, and then nothing reads them.
  return size >= needed || isReadable(directory) ? null : `is damaged: ${size} of ${needed} bytes are there`
}

/** The bytes of all pages that the last transaction knows. */
function neededBytes (header: Buffer): number {
  const pageSize = header.readUInt32LE(HEADER.PAGE_SIZE_OFFSET)
  const metas = [0, pageSize].filter(at => at + META.TRANSACTION_OFFSET + 8 <= header.length).map(at => ({
    lastPage: Number(header.readBigUInt64LE(at + META.LAST_PAGE_OFFSET)),
    transaction: header.readBigUInt64LE(at + META.TRANSACTION_OFFSET)
  }))
  const { lastPage } = metas.reduce((newest, meta) => meta.transaction > newest.transaction ? meta : newest)
  return (lastPage + 1) * pageSize
}

/** Whether a process of its own survives to read all entries. */
function isReadable (directory: string): boolean {
  const { status } = spawnSync(process.execPath, ['-e', PROBE, import.meta.resolve('lmdb'), directory], { timeout: PROBE_TIMEOUT_MS, stdio: 'ignore' })
  return status === 0
}

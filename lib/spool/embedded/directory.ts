import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { SpoolConfigurationError } from '../spool.js'

/** The first pages of a data file, as this version of LMDB writes them on a little-endian machine. */
const HEADER = { BYTES: 8_192, MAGIC_OFFSET: 24, MAGIC: 0xBEEFC0DE, VERSION_OFFSET: 28, VERSION: 2 }

/**
 * Creates the directory when it is missing.
 * @throws SpoolConfigurationError when it cannot be written, or its data file is none of a spool
 */
export function prepareDirectory (dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true })
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new SpoolConfigurationError(`the spool cannot write to ${dataDir} (DATA_DIR): ${(error as Error).message}`, { cause: error })
  }
  // LMDB ends the process when it opens a file that it has not written.
  const path = join(dataDir, 'data.mdb')
  if (existsSync(path) && !isDataFile(path)) {
    throw new SpoolConfigurationError(`${path} (DATA_DIR) is not a spool, or it is damaged: move it away, or set DATA_DIR to another directory`)
  }
}

function isDataFile (path: string): boolean {
  const header = Buffer.alloc(HEADER.BYTES)
  const file = openSync(path, 'r')
  const length = readSync(file, header)
  closeSync(file)
  if (length === 0) return true
  return length === HEADER.BYTES &&
    header.readUInt32LE(HEADER.MAGIC_OFFSET) === HEADER.MAGIC &&
    header.readUInt32LE(HEADER.VERSION_OFFSET) === HEADER.VERSION
}

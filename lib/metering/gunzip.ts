import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'

const MIB = 1_048_576

/** Bytes of one payload after decompression. CloudWatch Logs and Firehose send a few MB at most. */
export const MAX_INFLATED_BYTES = 32 * MIB
/** Bytes out for each byte in. Lines with an id of their own reach 40, a run of one character reaches 1,000. */
export const MAX_INFLATE_RATIO = 250
/** Up to this size the ratio is not judged. */
const SMALL_BYTES = MIB

const inflate = promisify(gunzip)

/** Why a payload cannot be decompressed, as a closed list. */
export type GunzipFault = 'too-large' | 'truncated' | 'not-gzip'

export class GunzipError extends Error {
  override name = 'GunzipError'

  constructor (readonly fault: GunzipFault, message: string) {
    super(message)
  }
}

export function isGzip (bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b
}

/**
 * Decompresses, and stops as soon as the result is larger than any real payload.
 * @throws GunzipError
 */
export async function gunzipCapped (bytes: Buffer): Promise<Buffer> {
  const maxOutputLength = Math.min(MAX_INFLATED_BYTES, Math.max(SMALL_BYTES, bytes.length * MAX_INFLATE_RATIO))
  try {
    return await inflate(bytes, { maxOutputLength })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw new GunzipError('too-large', `the payload has more than ${maxOutputLength} bytes after decompression`)
    }
    if (code === 'Z_BUF_ERROR') throw new GunzipError('truncated', 'the gzip stream breaks off')
    throw new GunzipError('not-gzip', 'the payload is not gzip')
  }
}

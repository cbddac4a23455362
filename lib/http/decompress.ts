import { Duplex, PassThrough, Transform, type Readable, type TransformCallback } from 'node:stream'
import zlib from 'node:zlib'
import { ApiError } from './api-error.js'

/** Telemetry shrinks to a tenth or a twentieth; a body with a higher ratio is an attack. */
export const MAX_INFLATE_RATIO = 250
/** Inflated bytes below which the ratio says nothing: a few equal items shrink to next to nothing. */
export const INFLATE_RATIO_FLOOR_BYTES = 262_144
/**
 * 2^23 bytes, the window that RFC 8878 asks every decoder to take; a larger one would let senders choose our memory.
 */
const MAX_ZSTD_WINDOW_LOG = 23

type Decoder = () => Duplex

/** The low bits of the first byte of zlib's format, which no block of bare deflate data begins with. */
const ZLIB_METHOD = 0x08
const METHOD_MASK = 0x0f

/** Inflates "deflate" as browsers and proxies do: in zlib's format, as the standard says, or bare, as some send it. */
class InflateEither extends Duplex {
  #decoder: Transform | null = null

  #start (firstByte: number): Transform {
    const decoder = (firstByte & METHOD_MASK) === ZLIB_METHOD ? zlib.createInflate() : zlib.createInflateRaw()
    decoder.on('data', chunk => { if (!this.push(chunk)) decoder.pause() })
    decoder.once('end', () => this.push(null))
    decoder.once('error', error => this.destroy(error))
    return decoder
  }

  override _write (chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#decoder ??= this.#start(chunk[0]!)
    this.#decoder.write(chunk, callback)
  }

  override _final (callback: TransformCallback): void {
    if (this.#decoder === null) callback(new Error('there is no byte'))
    else this.#decoder.end(() => callback())
  }

  override _read (): void {
    this.#decoder?.resume()
  }

  override _destroy (error: Error | null, callback: (error: Error | null) => void): void {
    this.#decoder?.destroy()
    callback(error)
  }
}

/** Node has zstd from 22.15 on. */
function zstdDecoder (): Decoder | undefined {
  const { createZstdDecompress, constants } = zlib as unknown as {
    createZstdDecompress?: (
      options: object
    ) => Transform,
    constants: { ZSTD_d_windowLogMax: number }
  }
  if (createZstdDecompress === undefined) return undefined
  return () => createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: MAX_ZSTD_WINDOW_LOG } })
}

const DECODERS = new Map<string, Decoder>([
  ['gzip', () => zlib.createGunzip()],
  ['deflate', () => new InflateEither()],
  ['br', () => zlib.createBrotliDecompress()]
])
const zstd = zstdDecoder()
if (zstd !== undefined) DECODERS.set('zstd', zstd)

/** The content codings that `decompress` takes. */
export const ENCODINGS = [...DECODERS.keys()]

export interface InflateLimits {
  /** The most bytes of the body as sent, and as inflated. */
  maxBytes: number
  /** The error for a body with more bytes, unless it is the usual one. */
  tooLarge?: () => ApiError
  /** Told of inflated bytes as they come. @throws ApiError when they are too many */
  onInflated?: (bytes: number) => void
}

/** Passes inflated bytes on, and ends decoder and body at the first byte too many. */
class InflatedBody extends Transform {
  /** Compressed bytes read so far; Fastify compares them with Content-Length. */
  receivedEncodedLength = 0
  #inflated = 0
  readonly #limits: InflateLimits

  constructor (limits: InflateLimits) {
    super()
    this.#limits = limits
  }

  override _transform (chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    const { maxBytes, tooLarge, onInflated } = this.#limits
    this.#inflated += chunk.length
    try {
      onInflated?.(chunk.length)
    } catch (error) {
      callback(error as ApiError)
      return
    }
    if (this.#inflated > maxBytes) {
      callback(
        tooLarge?.() ?? new ApiError('bodyTooLarge', {
          message: `The body inflates to more than ${maxBytes} bytes: send fewer items in a request.`
        })
      )
    } else if (this.#inflated > INFLATE_RATIO_FLOOR_BYTES &&
      this.#inflated > MAX_INFLATE_RATIO * this.receivedEncodedLength) {
      callback(new ApiError('bodyTooLarge', {
        message: `The body inflates to more than ${MAX_INFLATE_RATIO} times its size.`
      }))
    } else callback(null, chunk)
  }
}

/** The coding that a Content-Encoding header names; null for a body that is not compressed. */
export function readContentEncoding (header: string | undefined): string | null {
  if (header === undefined) return null
  const encoding = header.trim().toLowerCase()
  if (encoding === '' || encoding === 'identity') return null
  return encoding === 'x-gzip' ? 'gzip' : encoding
}

/**
 * Inflates a body chunk by chunk. It fails with an ApiError: bodyTooLarge as soon as more than `maxBytes` came out, or
 * far more than went in; malformedBody when the data is corrupt or ends too early. The source is never destroyed, as
 * the answer travels on its socket.
 * @param encoding null for a body that is not compressed
 * @throws ApiError unsupportedMediaType for an encoding that is not known
 */
export function decompress (source: Readable, encoding: string | null, limits: InflateLimits): Readable {
  const { maxBytes, tooLarge } = limits
  const create = encoding === null ? () => new PassThrough() : DECODERS.get(encoding)
  if (create === undefined) {
    throw new ApiError('unsupportedMediaType', {
      message: `The content encoding is not supported: send ${ENCODINGS.join(', ')} or none.`
    })
  }
  const decoder = create()
  const body = new InflatedBody(limits)

  function stop (error: Error): void {
    source.unpipe(decoder)
    source.off('data', count)
    source.pause()
    decoder.destroy()
    body.destroy(error)
  }
  function count (chunk: Buffer): void {
    body.receivedEncodedLength += chunk.length
    if (body.receivedEncodedLength > maxBytes) stop(tooLarge?.() ?? new ApiError('bodyTooLarge'))
  }

  source.on('data', count)
  source.once('error', stop)
  decoder.once('error', () =>
    stop(new ApiError('malformedBody', { message: `The body cannot be read as ${encoding}.` })))
  body.once('error', stop)
  source.pipe(decoder).pipe(body)
  return body
}

import { Readable } from 'node:stream'
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { ApiError } from '../../../lib/http/api-error.js'
import {
  ENCODINGS, decompress, INFLATE_RATIO_FLOOR_BYTES, MAX_INFLATE_RATIO, readContentEncoding
} from '../../../lib/http/decompress.js'

const MIB = 1_048_576
const COMPRESS: Record<string, (data: Buffer) => Buffer> = {
  gzip: gzipSync,
  deflate: deflateSync,
  'deflate, without the format of zlib': deflateRawSync,
  br: data => brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } })
}

async function read (source: Readable, encoding: string, maxBytes = MIB): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of decompress(source, encoding, { maxBytes })) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function failure (source: Readable, encoding: string, maxBytes = MIB): Promise<unknown> {
  return await read(source, encoding, maxBytes).then(() => null, (error: unknown) =>
    error instanceof ApiError ? error.code : error)
}

/** Text that shrinks as telemetry does. */
function telemetry (bytes: number): Buffer {
  let text = ''
  for (let i = 0; text.length < bytes; i++) {
    text += `{"MetricName":"PageLoad","Value":${(i * 7919) % 10_007},"Page":"/p/${(i * 31) % 977}"},`
  }
  return Buffer.from(text.slice(0, bytes))
}

for (const [name, compress] of Object.entries(COMPRESS)) {
  const encoding = name.split(',')[0]!
  t.test(name, async t => {
    t.ok(ENCODINGS.includes(encoding))

    t.test('is read, in whatever pieces it comes', async t => {
      const data = telemetry(300_000)
      const compressed = compress(data)
      t.ok(data.equals(await read(Readable.from([compressed]), encoding)))
      t.ok(
        data.equals(
          await read(
            Readable.from([
              ...Array.from(compressed.subarray(0, 2_000), byte => Buffer.of(byte)), compressed.subarray(2_000)
            ]),
            encoding
          )
        )
      )
    })

    t.test('may have as many bytes as the cap, and no more', async t => {
      const compressed = compress(telemetry(500_000))
      t.equal((await read(Readable.from([compressed]), encoding, 500_000)).length, 500_000)
      t.equal(await failure(Readable.from([compressed]), encoding, 499_999), 130)
    })

    t.test('is refused when it is corrupt, or ends too early', async t => {
      const compressed = compress(telemetry(50_000))
      t.equal(await failure(Readable.from([compressed.subarray(0, -20)]), encoding), 120)
      t.equal(await failure(Readable.from([Buffer.from('this is not compressed at all')]), encoding), 120)
      const corrupt = Buffer.from(compressed)
      corrupt.fill(0x55, 1_000, 1_400)
      t.equal(await failure(Readable.from([corrupt]), encoding), 120)
    })

    t.test('is refused beyond the ratio, long before the cap', async t => {
      const compressed = compress(Buffer.alloc(10 * MIB))
      t.ok(compressed.length * MAX_INFLATE_RATIO < 64 * MIB)
      t.equal(await failure(Readable.from([compressed]), encoding, 64 * MIB), 130)
      t.equal(
        (await read(Readable.from([compress(Buffer.alloc(INFLATE_RATIO_FLOOR_BYTES))]), encoding)).length,
        INFLATE_RATIO_FLOOR_BYTES,
        'a small body may shrink to nothing'
      )
    })
  })
}

t.test('the cap holds while inflating: a bomb without an end ends', async t => {
  let pieces = 0
  function * endless () {
    const member = gzipSync(telemetry(200_000))
    for (;;) {
      pieces++
      yield member
    }
  }
  t.equal(await failure(Readable.from(endless()), 'gzip', 4 * MIB), 130)
  t.ok(pieces < 200, `${pieces} pieces of 200 kB were asked for`)
})

t.test('more compressed bytes than the cap are not taken either', async t => {
  function * endless () {
    for (;;) yield gzipSync(Buffer.alloc(0))
  }
  t.equal(await failure(Readable.from(endless()), 'gzip', 10_000), 130)
})

t.test('a source that fails fails the body, and is not destroyed by it', async t => {
  const source = new Readable({ read () {} })
  const body = decompress(source, 'gzip', { maxBytes: MIB })
  source.push(gzipSync(telemetry(1_000)).subarray(0, 100))
  setImmediate(() => source.emit('error', new Error('aborted')))
  await t.rejects(read(Readable.from(body), 'gzip'), /aborted|gzip/)

  const refused = new Readable({ read () {} })
  refused.push('no gzip')
  t.equal(await failure(refused, 'gzip'), 120)
  t.notOk(refused.destroyed)
  t.ok(refused.isPaused(), 'nothing more is read')
})

t.test('Content-Encoding is read as browsers and proxies write it', async t => {
  for (const header of [undefined, '', ' ', 'identity', 'Identity']) t.equal(readContentEncoding(header), null)
  t.equal(readContentEncoding('GZIP '), 'gzip')
  t.equal(readContentEncoding('x-gzip'), 'gzip')
  for (const encoding of ['compress', 'gzip, gzip', '__proto__', 'constructor']) {
    t.throws(() => decompress(Readable.from([]), encoding, { maxBytes: MIB }), {
      code: 131, message: /gzip, deflate, br/
    })
  }
})

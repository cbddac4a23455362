import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openEmbeddedSpool } from '../../../../lib/spool/embedded/embedded-spool.js'
import { findPort } from '../../../../tools/shared/ports.js'
import { startGatewayProcess, type ProcessError } from '../../../../tools/shared/processes.js'
import { CLIENT_SECRET_KEY } from '../../../helpers/app.js'
import { append, record, spoolOptions } from '../contract.js'

t.setTimeout(120_000)

const HEAD_BYTES = 8_192
const PAGE_BYTES = 4_096
/** In the first two pages: the root of the table of tables. */
const ROOT_OFFSETS = [136, PAGE_BYTES + 136]

/** Fills with bytes that look random, and are the same at every run. */
function fillWithNoise (bytes: Buffer, start: number, length: number, seed = start): void {
  createHash('shake256', { outputLength: length }).update(String(seed)).digest().copy(bytes, start)
}

function fillRootsWithNoise (bytes: Buffer, seed: number): void {
  for (const at of ROOT_OFFSETS) {
    fillWithNoise(bytes, Number(bytes.readBigUInt64LE(at)) * PAGE_BYTES, PAGE_BYTES, seed)
  }
}

const DAMAGES: Record<string, (bytes: Buffer) => void> = {
  'random bytes behind its head': bytes => { fillWithNoise(bytes, HEAD_BYTES, bytes.length - HEAD_BYTES) },
  'zeros behind its head': bytes => { bytes.fill(0, HEAD_BYTES) },
  'a damaged root': bytes => { fillRootsWithNoise(bytes, 0) },
  'a root that shows no table': bytes => { fillRootsWithNoise(bytes, 21) },
  'roots behind its end': bytes => {
    for (const at of ROOT_OFFSETS) bytes.writeBigUInt64LE(2n ** 30n, at)
  }
}

for (const [name, damage] of Object.entries(DAMAGES)) {
  t.test(`a data file with damaged pages stops the second start at the latest: ${name}`, async t => {
    const dataDir = mkdtempSync(join(tmpdir(), 'postman-damaged-'))
    t.teardown(() => rmSync(dataDir, { recursive: true, force: true }))
    const spool = await openEmbeddedSpool({ ...spoolOptions(), dataDir, sync: 'commit' })
    for (let i = 0; i < 200; i++) await append(spool, `destination ${i}`, record('a'.repeat(500)))
    await spool.close()
    const path = join(dataDir, 'data.mdb')
    const bytes = readFileSync(path)
    damage(bytes)
    writeFileSync(path, bytes)
    const environment = {
      ...process.env,
      CLIENT_SECRET_KEY,
      ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-the-tests',
      AWS_REGION: 'eu-west-1',
      DATA_DIR: dataDir
    }
    const start = async (): Promise<ProcessError> => {
      const started = startGatewayProcess(environment, await findPort(), dataDir, { readyPath: '/health/live' })
      return await started.then(
        server => server.stop().then(() => { throw new Error('it has started') }), (error: ProcessError) => error
      )
    }
    const first = await start()
    t.comment(`the first start: ${first.message} ${first.output.split('\n').slice(0, 2).join(' ')}`)
    t.ok(
      first.signal !== null || /data\.mdb \(DATA_DIR\) is damaged/.test(first.output),
      `${first.message}\n${first.output}`
    )
    const second = await start()
    t.equal(second.exitCode, 1, second.message)
    t.match(second.output, /data\.mdb \(DATA_DIR\) is damaged: .*: move it away, or set DATA_DIR/)
    t.notMatch(second.output, /^ +at |Node\.js v/m, 'no trace')
  })
}

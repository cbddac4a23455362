import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { TlsFiles } from '../../tools/shared/redis.js'
import type { Teardown } from './teardown.js'

const SCRIPT = fileURLToPath(new URL('connect-once.js', import.meta.url))

/** A certificate for the name `localhost`, which is its own authority. */
export function createCertificate (t: Teardown): TlsFiles {
  const folder = mkdtempSync(join(tmpdir(), 'postman-tls-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate
  ], { stdio: 'ignore' })
  return { key, certificate }
}

/** What a gateway that trusts this authority, or none but those of Node, finds there. */
export async function connectInProcess (url: string, authority?: string): Promise<string> {
  const env = authority === undefined ? process.env : { ...process.env, NODE_EXTRA_CA_CERTS: authority }
  return (await promisify(execFile)(process.execPath, [SCRIPT, url], { env })).stdout.trim()
}

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../tools/shared/root.js'

const IMPORT = /^(?:import|export)[^']*? from '([^']+)'|^} from '([^']+)'|^import '([^']+)'/gm
/** Constants that schemas are made of. */
const CONSTANTS = /^\.\.\/lib\/(limits|outcome|errors)\.js$/

async function sources (folder: string): Promise<Array<{ file: string, imports: string[] }>> {
  const files = await readdir(join(ROOT, folder), { recursive: true })
  return await Promise.all(files.filter(file => file.endsWith('.ts')).map(async file => {
    const text = await readFile(join(ROOT, folder, file), 'utf8')
    return { file: `${folder}/${file}`, imports: [...text.matchAll(IMPORT)].map(match => (match[1] ?? match[2] ?? match[3])!) }
  }))
}

/** Which imports of each folder are allowed; relative ones by the folder they lead to. */
const RULES: Record<string, (path: string) => boolean> = {
  schemas: path => path === '@sinclair/typebox' || path.startsWith('./') || CONSTANTS.test(path),
  lib: path => path.startsWith('node:') || path.startsWith('./') || /^(\.\.\/)+(?!plugins|routes|documentation|threads|sandbox|test|scripts|bench|app\.)/.test(path) ||
    path.startsWith('@aws-sdk/') || ['fast-jwt', 'lru-cache', 'lmdb', 'ioredis'].includes(path),
  routes: path => /^(\.\.\/)+schemas\//.test(path) || path === '@sinclair/typebox' || path === '@fastify/type-provider-typebox',
  threads: path => /^\.(\.\/lib)?\//.test(path) || path.startsWith('node:') || path.startsWith('@aws-sdk/'),
  documentation: path => /^\.\.\/schemas\//.test(path) || !path.startsWith('.'),
  plugins: path => /^\.\.\/(lib|schemas|documentation)\//.test(path) || !path.startsWith('.')
}

for (const [folder, allowed] of Object.entries(RULES)) {
  t.test(`${folder} imports only what it may`, async t => {
    for (const { file, imports } of await sources(folder)) {
      for (const path of imports) t.ok(allowed(path), `${file} imports ${path}`)
    }
  })
}

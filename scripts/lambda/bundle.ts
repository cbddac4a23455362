import { mkdir, writeFile } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { build } from 'esbuild'
import { zipSync } from 'fflate'
import { OLDEST_NODE } from '../app-bundle.js'

/** Functions, each a file of this name in lambda/ that exports `handler`. */
export const FUNCTIONS = ['metering', 'authorizer'] as const
export type FunctionName = typeof FUNCTIONS[number]

/** Of the file in the zip, so that the same source makes the same zip. */
const MODIFIED = '1980-01-02T00:00:00'

export interface Bundle {
  name: FunctionName
  /** Path of the zip. */
  zip: string
  zipBytes: number
  codeBytes: number
}

/**
 * Writes one zip for each function, with everything in it, to be configured as `index.handler`. What is imported when
 * it is needed, the AWS SDK, lies in files of its own, so that a cold start does not read it.
 */
export async function bundleFunctions (outDir: string): Promise<Bundle[]> {
  await mkdir(outDir, { recursive: true })
  return await Promise.all(FUNCTIONS.map(async name => {
    const files = await bundle(name)
    const zipped = zipSync(Object.fromEntries(files.map(({ name, code }) => [name, [code, { mtime: MODIFIED }]])), { level: 9 })
    const zip = join(outDir, `${name}.zip`)
    await writeFile(zip, zipped)
    return { name, zip, zipBytes: zipped.length, codeBytes: files.reduce((sum, { code }) => sum + code.length, 0) }
  }))
}

async function bundle (name: FunctionName): Promise<Array<{ name: string, code: Uint8Array }>> {
  const { outputFiles } = await build({
    // the sources when run from sources, what was built of them else
    entryPoints: { index: join(import.meta.dirname, '../../lambda', `${name}${extname(import.meta.filename)}`) },
    outdir: '/',
    bundle: true,
    splitting: true,
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    // some packages are CommonJS and require modules of Node
    banner: { js: "import{createRequire as moduleRequire}from'node:module';const require=moduleRequire(import.meta.url);" },
    platform: 'node',
    target: OLDEST_NODE,
    mainFields: ['module', 'main'],
    minify: true,
    legalComments: 'none',
    logLevel: 'error',
    write: false
  })
  return outputFiles
    .map(({ path, contents }) => ({ name: basename(path), code: contents }))
    .sort((a, b) => a.name < b.name ? -1 : 1)
}

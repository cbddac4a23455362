import { mkdir, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { zipSync } from 'fflate'
import { rolldown } from 'rolldown'

/** The oldest Node that the functions run on. */
const OLDEST_NODE = 'node20'
/** The names of the functions; lambda/ has a file for each, which exports `handler`. */
export const FUNCTIONS = ['metering', 'authorizer'] as const
export type FunctionName = typeof FUNCTIONS[number]

/** The time of the files in a zip, so that the same source makes the same zip. */
const MODIFIED = '1980-01-02T00:00:00'

export interface Bundle {
  name: FunctionName
  /** Path of the zip. */
  zip: string
  zipBytes: number
  codeBytes: number
  /** Paths of the modules that are in it. */
  modules: string[]
}

/**
 * Writes one zip for each function, with all of its packages, to be configured as `index.handler`. The AWS SDK, which
 * is imported when it is needed, lies in files of its own, so that a cold start does not read it.
 */
export async function bundleFunctions (outDir: string): Promise<Bundle[]> {
  await mkdir(outDir, { recursive: true })
  return await Promise.all(FUNCTIONS.map(async name => {
    const { files, modules } = await bundle(name)
    const zipped = zipSync(Object.fromEntries(files.map(({ name, code }) => [name, [code, { mtime: MODIFIED }]])), {
      level: 9
    })
    const zip = join(outDir, `${name}.zip`)
    await writeFile(zip, zipped)
    const codeBytes = files.reduce((sum, { code }) => sum + code.length, 0)
    return { name, zip, zipBytes: zipped.length, codeBytes, modules }
  }))
}

async function bundle (
  name: FunctionName
): Promise<{ files: Array<{ name: string, code: Uint8Array }>, modules: string[] }> {
  const modules = await rolldown({
    // The source when this file is a source, else the compiled file.
    input: { index: join(import.meta.dirname, '../../../lambda', `${name}${extname(import.meta.filename)}`) },
    platform: 'node',
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] }, mainFields: ['module', 'main'] },
    transform: { target: OLDEST_NODE }
  })
  const { output } = await modules.generate({
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name]-[hash].mjs',
    minify: true,
    comments: false
  })
  await modules.close()
  const files = output
    .map(file => ({ name: file.fileName, code: Buffer.from(file.type === 'chunk' ? file.code : file.source) }))
    .sort((a, b) => a.name < b.name ? -1 : 1)
  return { files, modules: output.flatMap(file => file.type === 'chunk' ? file.moduleIds : []) }
}

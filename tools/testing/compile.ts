import { readdirSync, rmSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from 'typescript'

/** The tests' build, beside package.json: sources and tests under the paths that they have in the project. */
export const BUILD_FOLDER = '.test-build'

/** Compiles files that are newer than their output, without checking types; removes the output of missing files. */
export function compile (root: string): void {
  const configFile = join(root, 'tsconfig.json')
  const { options, fileNames } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(configFile, ts.sys.readFile).config, ts.sys, root
  )
  const outputOf = (source: string): string => join(root, BUILD_FOLDER, relative(root, source)).replace(/\.ts$/, '.js')
  const configuredAt = modifiedAt(configFile)
  const stale = fileNames.filter(source => modifiedAt(outputOf(source)) <= Math.max(modifiedAt(source), configuredAt))
  // Every file marks its imports of types, so that each can be compiled alone.
  const alone = { noCheck: true, noResolve: true, noLib: true, types: [] }
  ts.createProgram(stale, {
    ...options,
    ...alone,
    noEmit: false,
    outDir: join(root, BUILD_FOLDER),
    sourceMap: true
  }).emit()
  removeAllBut(new Set(fileNames.map(outputOf)), join(root, BUILD_FOLDER))
}

/** Autoload would go on to load the output of a plugin that has been renamed. */
function removeAllBut (outputs: Set<string>, folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && !outputs.has(path.replace(/\.map$/, ''))) rmSync(path)
  }
}

function modifiedAt (path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -1
}

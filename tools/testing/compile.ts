import { readdirSync, rmSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from 'typescript'

/** The tests' build, beside package.json: sources and tests under the paths that they have in the project. */
export const BUILD_FOLDER = '.test-build'

/** Compiles what is newer than its output, without a look at its types, and removes the output of files that are gone. */
export function compile (root: string): void {
  const configFile = join(root, 'tsconfig.json')
  const { options, fileNames } = ts.parseJsonConfigFileContent(ts.readConfigFile(configFile, ts.sys.readFile).config, ts.sys, root)
  const outputOf = (source: string): string => join(root, BUILD_FOLDER, relative(root, source)).replace(/\.ts$/, '.js')
  const configuredAt = modifiedAt(configFile)
  const stale = fileNames.filter(source => modifiedAt(outputOf(source)) <= Math.max(modifiedAt(source), configuredAt))
  // Every file says by itself what it imports as a type, so none needs another one to be compiled.
  const alone = { noCheck: true, noResolve: true, noLib: true, types: [] }
  ts.createProgram(stale, { ...options, ...alone, noEmit: false, outDir: join(root, BUILD_FOLDER), sourceMap: true }).emit()
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

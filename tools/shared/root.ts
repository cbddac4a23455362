import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The folder of package.json, seen from the sources and from the build. */
export const ROOT = findRoot(import.meta.dirname)

function findRoot (folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findRoot(dirname(folder))
}

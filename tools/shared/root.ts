import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The folder of package.json, seen from the sources and from every build. */
export const ROOT = findRoot(import.meta.dirname)

/** The folder that this file's own build has `app.js` and every other compiled file in: `dist`, or the tests' build. */
export const BUILD = dirname(dirname(import.meta.dirname))

function findRoot (folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findRoot(dirname(folder))
}

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { ROOT } from '../shared/root.js'

/** The files of a checkout that `npm start` needs. */
const NEEDED_FILES = ['dist/app.js', 'fastify.config.cjs', 'node_modules/.bin/fastify']

/** A checkout that has been built. */
export interface Build {
  root: string
  /** Its commit, or the name of its folder. */
  label: string
}

export const THIS_BUILD: Build = { root: ROOT, label: labelOf(ROOT) }

/** @throws Error naming the file that is missing */
export function openBuild (folder: string): Build {
  const root = resolve(folder)
  for (const file of NEEDED_FILES) {
    if (!existsSync(join(root, file))) {
      throw new Error(`${folder} is no built checkout: ${file} is missing. Run npm install and npm run build there.`)
    }
  }
  return { root, label: labelOf(root) }
}

function labelOf (root: string): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    const isChanged = git('status', '--porcelain', '--untracked-files=no') !== ''
    return git('rev-parse', '--short', 'HEAD') + (isChanged ? ' with changes' : '')
  } catch {
    return basename(root)
  }
}

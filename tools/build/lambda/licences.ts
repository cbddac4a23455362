import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const FILE = /^licen[cs]e(?:[.-]|$)/i
const NOTICE = /^notice(?:[.-]|$)/i
const PACKAGE_FOLDER = /^.*[/\\]node_modules[/\\](?:@[^/\\]+[/\\])?[^/\\]+/
const RULE = '-'.repeat(80)

/** Where a bundled module comes from: the folder of its package; null for one of ours. */
function packageFolderOf (module: string): string | null {
  return PACKAGE_FOLDER.exec(module)?.[0] ?? null
}

async function textsOf (folder: string): Promise<string> {
  const names = (await readdir(folder)).filter(name => FILE.test(name) || NOTICE.test(name)).sort()
  const texts = await Promise.all(names.map(name => readFile(join(folder, name), 'utf8')))
  return texts.map(text => text.trim()).join('\n\n')
}

/**
 * The licences of the packages that modules come from: each package with its version, and each text once.
 * @param modules paths
 * @throws Error for a package that says nothing of its licence
 */
export async function licencesOf (modules: string[]): Promise<string> {
  const folders = new Set(modules.map(packageFolderOf).filter(folder => folder !== null))
  const packagesByText = new Map<string, Set<string>>()
  for (const folder of folders) {
    const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
      name: string, version: string, license?: string
    }
    const text = await textsOf(folder) || license
    if (text === undefined) throw new Error(`${name} is bundled, and says nothing of its licence.`)
    const packages = packagesByText.get(text) ?? new Set()
    packagesByText.set(text, packages.add(`${name} ${version} (${license ?? 'see below'})`))
  }
  const parts = [...packagesByText].map(([text, packages]) => `${[...packages].sort().join('\n')}\n\n${text}\n`).sort()
  return ['The functions in this folder hold code of these packages.\n', ...parts].join(`\n${RULE}\n`)
}

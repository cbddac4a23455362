import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'

const ROW = /^\| (`[^|]+`) \| (.+) \|$/gm
const NAME = /`([^`\s]+)`/g
const FIXTURES = 'test/fixtures'

const namesIn = (text: string): string[] => [...text.matchAll(NAME)].map(([, name]) => name!)

/** The folders with a file in them, without those that git ignores. */
async function foldersIn (folder: string, ignored: readonly string[]): Promise<string[]> {
  const entries = await readdir(join(ROOT, folder), { withFileTypes: true })
  const inner = entries.filter(entry => entry.isDirectory() && !entry.name.startsWith('.') && !ignored.includes(entry.name))
  const below = await Promise.all(inner.map(({ name }) => foldersIn(join(folder, name), ignored)))
  return [...(entries.some(entry => entry.isFile()) ? [folder] : []), ...below.flat()]
}

t.test('docs/architecture.md names every folder, and tests stand in the folder of their source', async t => {
  const page = await readFile(join(ROOT, 'docs/architecture.md'), 'utf8')
  const section = page.split('\n## The rooms\n')[1]!.split('\n## ')[0]!
  const rows = new Map([...section.matchAll(ROW)].flatMap(([, rooms, content]) =>
    namesIn(rooms!).map(room => [room.replace(/(?:\/\*\.ts|\/)$/, ''), namesIn(content!)] as const)))

  /** Whether the folder has a row, or the row of the folder around it names it. */
  function isNamed (folder: string): boolean {
    if (rows.has(folder)) return true
    let around = dirname(folder)
    while (around !== '.' && !rows.has(around)) around = dirname(around)
    const names = rows.get(around) ?? []
    return names.includes(`${folder}/`) || names.includes(`${folder.slice(around.length + 1)}/`)
  }

  function mirrorsSource (folder: string): boolean {
    const source = join(ROOT, folder.replace(/^test\//, ''))
    return folder.startsWith('test/') && (existsSync(source) || existsSync(`${source}.ts`))
  }

  const ignored = (await readFile(join(ROOT, '.gitignore'), 'utf8')).split('\n').map(line => line.replace(/\/$/, ''))
  const folders = (await foldersIn('', ignored)).filter(folder => folder !== '')
  t.ok(folders.includes('lib/spool/embedded'))
  const unnamed = folders.filter(folder =>
    !isNamed(folder) && !mirrorsSource(folder) && dirname(folder) !== FIXTURES)
  t.same(unnamed, [])
  for (const room of rows.keys()) t.ok(existsSync(join(ROOT, room)), room)
})

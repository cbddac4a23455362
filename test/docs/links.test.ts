import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'

const CODE_BLOCK = /^ *```.*?^ *```/gms
const LINK = /\]\(([^)\s]+)\)/g
const CODE = /`([^`\n]+)`/g
/** A path of this repository, without placeholders or several alternatives in it. */
const PATH = /^(?:docs|infra|lambda|lib|plugins|routes|schemas|test|tools)\/[\w./-]*$/
/** Names the files of other projects. */
const FOREIGN_PATHS = 'docs/comparison.md'

async function pages (): Promise<string[]> {
  const docs = (await readdir(join(ROOT, 'docs'))).map(file => join('docs', file))
  return ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...docs].filter(file => file.endsWith('.md'))
}

/** The page without its blocks of code. */
async function proseOf (page: string): Promise<string> {
  return (await readFile(join(ROOT, page), 'utf8')).replace(CODE_BLOCK, '')
}

/** What GitHub makes of a heading: lower case, no punctuation, a dash for each space. */
function anchorOf (heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')
}

async function anchorsOf (page: string): Promise<string[]> {
  return [...(await proseOf(page)).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!))
}

t.test('every link of the documentation leads to a file and a heading that exist', async t => {
  for (const page of await pages()) {
    for (const [, target] of (await proseOf(page)).matchAll(LINK)) {
      if (/^https?:/.test(target!)) continue
      const [path, anchor] = target!.split('#')
      const file = path === '' ? page : join(dirname(page), path!)
      t.ok(existsSync(join(ROOT, file)), `${page}: ${target}`)
      if (anchor !== undefined) t.ok((await anchorsOf(file)).includes(anchor), `${page}: ${target}`)
    }
  }
})

t.test('every file and folder that the documentation names exists', async t => {
  for (const page of await pages()) {
    if (page === FOREIGN_PATHS) continue
    for (const [, code] of (await proseOf(page)).matchAll(CODE)) {
      if (!PATH.test(code!)) continue
      t.ok([code!, `${code}.ts`].some(path => existsSync(join(ROOT, path))), `${page}: ${code}`)
    }
  }
})

t.test('every npm script that the documentation names exists', async t => {
  const { scripts } = JSON.parse(
    await readFile(join(ROOT, 'package.json'), 'utf8')
  ) as { scripts: Record<string, string> }
  for (const page of await pages()) {
    const text = await readFile(join(ROOT, page), 'utf8')
    for (const [, script] of text.matchAll(/npm run (?:--silent )?([\w:-]+)/g)) {
      t.ok(scripts[script!], `${page}: npm run ${script}`)
    }
  }
})

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import t from 'tap'
import { BUILD, ROOT } from '../../tools/shared/root.js'

interface Package {
  files: string[]
  scripts: Record<string, string>
}

const { files, scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Package
/** What a user of the package runs. */
const SHIPPED_SCRIPTS = ['start', 'worker', 'client-token', 'dead-letters', 'meter']
/** The source of what is built, or the file itself. */
const sourceOf = (path: string): string => path.replace(/^dist\//, '').replace(/\.js$/, '.ts')
const SHIPPED = files.map(path => sourceOf(path.replace('/**/*.js', '')))
const isShipped = (source: string): boolean => SHIPPED.some(path => source === path || source.startsWith(`${path}/`))

/** Sources that are imported at run time, from the root. */
function importsOf (source: string): string[] {
  const compiled = readFileSync(join(BUILD, source.replace(/\.ts$/, '.js')), 'utf8')
  return [...compiled.matchAll(/\b(?:from |import |import\()['"](\.[^'"]+)['"]/g)]
    .map(([, path]) => sourceOf(relative(ROOT, join(ROOT, source, '..', path!))))
}

t.test('the package has everything that it runs, and what that imports', async t => {
  for (const path of files) t.ok(existsSync(join(ROOT, sourceOf(path.replace('/**/*.js', '')))), `${path} exists`)
  const entries = SHIPPED_SCRIPTS.map(name => sourceOf(/dist\/\S+\.js/.exec(scripts[name]!)![0]))
  const left = ['plugins', 'routes'].flatMap(folder => {
    return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter(path => path.endsWith('.ts'))
      .map(path => join(folder, path))
  })
  left.push(...entries)
  const seen = new Set<string>()
  for (let source = left.pop(); source !== undefined; source = left.pop()) {
    if (seen.has(source)) continue
    seen.add(source)
    if (!isShipped(source)) t.fail(`${source} is imported, and not in "files"`)
    left.push(...importsOf(source))
  }
  t.ok(seen.size > 100, `${seen.size} sources`)
})

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { BUILD, ROOT } from '../../tools/shared/root.js'

interface Package {
  files: string[]
  bin: Record<string, string>
  exports: Record<string, string | { types: string, default: string }>
  scripts: Record<string, string>
}

const { files, bin, exports, scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Package
/** Commands for whoever runs the gateway from the package's own folder. */
const SHIPPED_SCRIPTS = ['start', 'worker', 'client-token', 'dead-letters', 'meter']
/** Made by `prepack`, not by the compiler. */
const MADE_BY_PREPACK = ['dist/types/', 'dist/lambda/*.zip', 'dist/lambda/LICENSES.txt']
/** Paths of other files in compiled code: relative ones, and those of processes that are started from the build. */
const RELATIVE = /['"`](\.\.?\/[^'"`\s]+\.js)['"`]/g
const OF_BUILD = /\bBUILD, ['"`]([^'"`\s]+\.js)['"`]/g

/** The image runs it, and has the files of the package. */
const HEALTH_CHECK = 'dist/tools/cli/health-check.js'

const sourceOf = (path: string): string => path.replace(/^dist\//, '').replace(/\.js$/, '.ts')

function sourcesIn (folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts'))
    .map(path => join(folder, path))
}

/** The sources whose compiled files an entry of "files" lists. */
function listedBy (entry: string): string[] {
  if (!entry.startsWith('dist/') || MADE_BY_PREPACK.some(path => entry.startsWith(path))) return []
  const folder = sourceOf(dirname(entry))
  if (entry.endsWith('/*.js')) return sourcesIn(folder).filter(path => dirname(path) === folder)
  return entry.endsWith('.js') ? [sourceOf(entry)] : sourcesIn(sourceOf(entry))
}

const compiledText = (source: string): string => readFileSync(join(BUILD, source.replace(/\.ts$/, '.js')), 'utf8')

/** Whether a source has types alone, so that nothing of it is left to import. */
function hasTypesAlone (source: string): boolean {
  return compiledText(source).replace(/^\/\/# sourceMappingURL.*$/m, '').trim() === 'export {};'
}

/** Sources that a source imports or starts. */
function neededBy (source: string): string[] {
  const text = compiledText(source)
  const relative = [...text.matchAll(RELATIVE)].map(([, path]) => join(source, '..', path!))
  const ofBuild = [...text.matchAll(OF_BUILD)].map(([, path]) => path!)
  return [...relative, ...ofBuild].map(sourceOf).filter(path => existsSync(join(ROOT, path)))
}

t.test('the package has every file that it runs, what that imports, and no other', async t => {
  const entries = [
    ...Object.values(bin),
    HEALTH_CHECK,
    ...Object.values(exports).flatMap(target => typeof target === 'string' ? [] : [target.default.replace('./', '')]),
    ...SHIPPED_SCRIPTS.map(name => /dist\/\S+\.js/.exec(scripts[name]!)![0])
  ].map(sourceOf)
  const left = [...entries, ...sourcesIn('plugins'), ...sourcesIn('routes')]
  const needed = new Set<string>()
  for (let source = left.pop(); source !== undefined; source = left.pop()) {
    if (needed.has(source)) continue
    needed.add(source)
    left.push(...neededBy(source))
  }
  const listed = files.filter(entry => !entry.startsWith('!')).flatMap(listedBy)
    .filter(source => !files.includes(`!dist/${source.replace(/\.ts$/, '.js')}`))
  t.ok(needed.size > 100, `${needed.size} sources`)
  t.same([...needed].filter(source => !listed.includes(source)), [], 'no needed file is missing')
  const idle = listed.filter(source => !needed.has(source) && !hasTypesAlone(source))
  t.same(idle, [], 'no file is there that nobody needs')
})

t.test('every other entry of "files" is there', async t => {
  for (const entry of files) {
    if (!entry.startsWith('dist/') && !entry.startsWith('!')) t.ok(existsSync(join(ROOT, entry)), entry)
  }
})

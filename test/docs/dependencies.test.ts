import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'

/** What ships: see "files" of package.json. */
const SHIPPED = [
  'app.ts', 'start.ts', 'package', 'plugins', 'routes', 'schemas', 'lib', 'lambda', 'tools/cli', 'tools/demo',
  'tools/sandbox', 'tools/simulate'
]
/** Imports that are left at run time: neither of types nor of Node nor of our own files. */
const IMPORTS = [
  /^(?:import|export) (?!type\b)[^'"]*?\bfrom '([^'./][^']*)'/gm,
  /^} from '([^'./][^']*)'/gm,
  /\b(?:import|require|require\.resolve)\('([^'./][^']*)'\)/gm
]
const TYPE_IMPORT = /^import type \{[^}]*\} from '[^']+'$/gm

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

function packageOf (specifier: string): string {
  return specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

function sourcesOf (room: string): string[] {
  if (room.endsWith('.ts')) return [room]
  return readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts'))
    .map(path => join(room, path))
}

t.test('each dependency is imported by what ships, and docs/architecture.md says why', async t => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }
  const declared = Object.keys(dependencies).sort()
  const section = read('docs/architecture.md').split('\n## Dependencies\n')[1]!.split('\n## ')[0]!
  const rows = [...section.matchAll(/^\| (`.+`) \| (.+) \|$/gm)]
  t.same(rows.flatMap(([, names]) => [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)).sort(), declared)

  const imported = SHIPPED.flatMap(sourcesOf).flatMap(source => {
    const text = read(source).replaceAll(TYPE_IMPORT, '')
    return IMPORTS.flatMap(pattern => [...text.matchAll(pattern)].map(([, specifier]) => specifier!))
  })
  const packages = new Set(imported.filter(specifier => !specifier.startsWith('node:')).map(packageOf))
  t.same([...packages].sort(), declared)
})

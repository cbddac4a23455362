import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../../../tools/shared/root.js'

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const dockerfile = read('Dockerfile')

t.test('the image has the version of the package, and the Node that is the reference', async t => {
  const { version } = JSON.parse(read('package.json')) as { version: string }
  t.equal(/^ARG VERSION=(.+)$/m.exec(dockerfile)?.[1], version)
  t.match(dockerfile, new RegExp(`^ARG BASE=node:${read('.nvmrc').trim()}-`, 'm'))
})

t.test('what the image copies and runs has a source', async t => {
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths]) => paths!.split(' '))
  t.ok(copied.includes('package.json'))
  for (const path of copied) t.ok(existsSync(join(ROOT, path)), path)
  const scripts = new Set(
    [...dockerfile.matchAll(/\b(?:build\/)?dist\/([\w/-]+)\.js/g)].map(([, path]) => `${path}.ts`))
  t.same([...scripts].sort(), [
    'start.ts', 'tools/build/prune-modules.ts', 'tools/cli/health-check.ts', 'tools/cli/main.ts'
  ])
  for (const path of scripts) t.ok(existsSync(join(ROOT, path)), path)
})

t.test('no secret, and nothing that the build makes itself, is handed to it', async t => {
  const ignored = read('.dockerignore').split('\n')
  for (const name of ['.env', '.git', 'data', 'dist', 'node_modules']) t.ok(ignored.includes(name), name)
  t.notMatch(dockerfile, /^(?:ARG|ENV) .*(?:SECRET|TOKEN|PASSWORD|AWS)/m, 'and none is set')
})

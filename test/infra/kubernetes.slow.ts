/** The manifests against the types of Kubernetes: the values by a validator, and unknown fields by the compiler. */
import { execFile as execFileWithCallback } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { ROOT } from '../../tools/shared/root.js'
import { kustomization, readManifests, type Manifest } from '../helpers/manifests.js'

t.setTimeout(120_000)

const execFile = promisify(execFileWithCallback)
const PACKAGES = join(ROOT, 'tools/testing/packages')
const COMPILER = {
  compilerOptions: {
    module: 'NodeNext', moduleResolution: 'NodeNext', strict: true, noEmit: true, skipLibCheck: true, types: []
  },
  files: ['manifests.ts']
}

const manifests = [...kustomization.resources, 'secret.example.yaml'].flatMap(readManifests)
const moduleOf = ({ apiVersion, kind }: Manifest): string => `kubernetes-models/${apiVersion}/${kind}`

/**
 * The compiler refuses each field of an object literal, at any depth, that its type does not have.
 * @returns its words
 */
async function compile (t: Test, objects: Manifest[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'postman-manifests-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await symlink(join(PACKAGES, 'node_modules'), join(folder, 'node_modules'))
  const source = objects.map((object, index) =>
    `import type { I${object.kind} as Type${index} } from '${moduleOf(object)}'\n` +
    `export const object${index}: Type${index} = ${JSON.stringify(object, null, 2)}\n`).join('')
  await Promise.all([
    writeFile(join(folder, 'package.json'), '{ "type": "module" }'),
    writeFile(join(folder, 'tsconfig.json'), JSON.stringify(COMPILER)),
    writeFile(join(folder, 'manifests.ts'), source)
  ])
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  return await execFile(process.execPath, [tsc, '-p', folder], { cwd: folder }).then(
    () => '', (error: { stdout: string }) => error.stdout
  )
}

/** @throws Error that names the field */
async function validate (manifest: Manifest): Promise<void> {
  const file = join(PACKAGES, 'node_modules', `${moduleOf(manifest)}.js`)
  const models = await import(pathToFileURL(file).href) as Record<string, any>
  new models[manifest.kind](manifest).validate()
}

t.test('each manifest has values that Kubernetes takes', async t => {
  t.ok(manifests.length >= 11)
  for (const manifest of manifests) await validate(manifest)
  const deployment = structuredClone(manifests.find(({ kind }) => kind === 'Deployment')!)
  deployment.spec.template.spec.containers[0].ports[0].containerPort = 'http'
  await t.rejects(validate(deployment), /containerPort/)
})

t.test('no manifest has a field that Kubernetes does not know, at any depth', async t => {
  t.equal(await compile(t, manifests), '')
  const deployment = structuredClone(manifests.find(({ kind }) => kind === 'Deployment')!)
  deployment.spec.template.spec.containers[0].securityContext.readOnlyRootFileSystem = true
  const budget = structuredClone(manifests.find(({ kind }) => kind === 'PodDisruptionBudget')!)
  budget.spec.minAvalable = 1
  const found = await compile(t, [deployment, budget])
  t.match(found, /"readOnlyRootFileSystem"/)
  t.match(found, /"minAvalable"/)
})

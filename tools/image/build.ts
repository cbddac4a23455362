import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../shared/root.js'
import { ensureBase } from './base.js'
import { buildah, CACHE, inspectImage, output, type ImageConfig } from './engine.js'

const NAME = 'localhost/cloudwatch-postman'

export interface BuiltImage {
  config: ImageConfig
  /** The folder of all its files. */
  root: string
  /** Bytes, compressed, of the layers of its base. */
  baseBytes: number
  /** Bytes, compressed, of its own layers. */
  ownBytes: number
}

/** Where the build finds the cache of this machine's npm. */
const NPM_CACHE = '/npm-cache'

/** The registry of this machine's npm, the authorities that it trusts and its cache, for the npm of the build. */
async function npmOptions (folder: string): Promise<string[]> {
  const settings = Object.fromEntries(
    (await output('npm', ['config', 'get', 'registry', 'cafile', 'cache'])).split('\n').map(line => {
      const [name, ...value] = line.split('=')
      return [name, value.join('=')]
    })
  ) as { registry: string, cafile: string, cache: string }
  const { registry, cafile, cache } = settings
  const hasAuthorities = cafile !== 'null'
  const file = join(folder, 'npmrc')
  const lines = [`registry=${registry}`, `cache=${NPM_CACHE}`, 'prefer-offline=true']
  writeFileSync(file, [...lines, ...(hasAuthorities ? [`cafile=${cafile}`] : [])].join('\n'))
  mkdirSync(cache, { recursive: true })
  return [
    '--secret', `id=npmrc,src=${file}`,
    '--volume', `${cache}:${NPM_CACHE}`,
    ...(hasAuthorities ? ['--volume', `${cafile}:${cafile}:ro`] : [])
  ]
}

/** Bytes of each layer as a registry holds it. */
async function layerBytes (folder: string): Promise<number[]> {
  const layout = join(folder, 'layout')
  await buildah('push', '--quiet', NAME, `oci:${layout}`)
  const read = (path: string): unknown => JSON.parse(readFileSync(join(layout, path), 'utf8'))
  const { manifests: [manifest] } = read('index.json') as { manifests: [{ digest: string }] }
  const { layers } = read(join('blobs', manifest.digest.replace(':', '/'))) as { layers: Array<{ size: number }> }
  return layers.map(({ size }) => size)
}

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0)

/** Builds the image of the Dockerfile, and unpacks it. */
export async function buildImage (): Promise<BuiltImage> {
  const folder = mkdtempSync(join(tmpdir(), 'postman-image-'))
  try {
    await removeImage()
    const base = await ensureBase()
    await buildah(
      'bud', '--quiet', '--pull-never', '--format', 'docker', '--layers=false', '--build-arg', `BASE=${base}`,
      ...await npmOptions(folder), '--tag', NAME, ROOT
    )
    const { layers: baseLayers } = (await inspectImage(base))!
    const { config } = (await inspectImage(NAME))!
    const layers = await layerBytes(folder)
    const root = await buildah('mount', await buildah('from', '--pull-never', NAME))
    return { config, root, baseBytes: sum(layers.slice(0, baseLayers)), ownBytes: sum(layers.slice(baseLayers)) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Removes the image and its files; its base stays for the next one. */
export async function removeImage (): Promise<void> {
  await buildah('rm', '--all')
  if (await inspectImage(NAME) !== null) await buildah('rmi', '--force', NAME)
}

/** Where `run.ts` finds the image. */
export const DESCRIPTION = join(CACHE, 'image.json')

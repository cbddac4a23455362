/** The manifests of infra/kubernetes, as files, and as kustomize puts them together. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { ROOT } from '../../tools/shared/root.js'

export const MANIFESTS_FOLDER = join(ROOT, 'infra/kubernetes')

export interface Manifest {
  apiVersion: string
  kind: string
  metadata: { name: string, namespace?: string, labels?: Record<string, string>, annotations?: Record<string, string> }
  [field: string]: any
}

export interface Kustomization {
  apiVersion: string
  kind: string
  namespace: string
  resources: string[]
  images: Array<{ name: string, newName: string, newTag: string }>
  configMapGenerator: Array<{ name: string, envs: string[] }>
  labels: Array<{ pairs: Record<string, string>, includeSelectors: boolean }>
}

export const readManifestFile = (file: string): string => readFileSync(join(MANIFESTS_FOLDER, file), 'utf8')

/** As Kubernetes reads them, in YAML 1.1. */
export function readManifests (file: string): Manifest[] {
  return parseAllDocuments(readManifestFile(file), { version: '1.1' }).map(document => {
    const [fault] = document.errors
    if (fault !== undefined) throw new Error(`${file}: ${fault.message}`)
    return document.toJS() as Manifest
  })
}

export const kustomization = parse(readManifestFile('kustomization.yaml')) as Kustomization

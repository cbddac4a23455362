/** buildah, with images and containers of its own, apart from all others of this machine. */
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from '../shared/root.js'

/** Goes with node_modules. */
export const CACHE = join(ROOT, 'node_modules/.cache/image')
// The driver and the isolation that need no rights beyond those of root in a container.
const STORAGE = ['--root', join(CACHE, 'storage'), '--runroot', join(CACHE, 'run'), '--storage-driver', 'vfs']
const ENVIRONMENT = { BUILDAH_ISOLATION: 'chroot' }
const MAX_OUTPUT_BYTES = 16 * 2 ** 20

const execute = promisify(execFile)

/** @returns what the command has written, without the last end of line; an Error has what it has complained about */
export async function output (command: string, args: readonly string[], env = process.env): Promise<string> {
  const { stdout } = await execute(command, args, { env, maxBuffer: MAX_OUTPUT_BYTES })
  return stdout.trimEnd()
}

export async function buildah (...args: string[]): Promise<string> {
  mkdirSync(CACHE, { recursive: true })
  return await output('buildah', [...STORAGE, ...args], { ...process.env, ...ENVIRONMENT })
}

interface Inspection {
  Docker: { config: ImageConfig }
  OCIv1: { rootfs: { diff_ids: string[] } }
}

/** What an image says about its process, in Docker's words. */
export interface ImageConfig {
  User: string
  Env: string[]
  Entrypoint: string[]
  Cmd: string[]
  WorkingDir: string
  Labels: Record<string, string>
  ExposedPorts: Record<string, object>
  Volumes: Record<string, object>
  StopSignal: string
  Healthcheck: { Test: string[] }
}

/** Null when there is no such image. */
export async function inspectImage (name: string): Promise<{ config: ImageConfig, layers: number } | null> {
  let text
  try {
    text = await buildah('inspect', '--type', 'image', name)
  } catch {
    return null
  }
  const { Docker: { config }, OCIv1: { rootfs } } = JSON.parse(text) as Inspection
  return { config, layers: rootfs.diff_ids.length }
}

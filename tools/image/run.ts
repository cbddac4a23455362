/**
 * `run.js FILE`: runs the image that FILE describes, with the gateway's variables of this environment, and DATA_DIR as
 * its volume. Takes signals for it, as a container engine does.
 */
import { spawn } from 'node:child_process'
import { chownSync, mkdirSync, readFileSync } from 'node:fs'
import { ConfigSchema } from '../../schemas/config.js'
import { confine, type Image } from './confine.js'

/** Whether a variable is the gateway's or the SDK's, and not one of this machine. */
const isForImage = (name: string): boolean => name in ConfigSchema.properties || name.startsWith('AWS_')

function childOf (pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'))
}

const image = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Image
const { DATA_DIR: data, ...variables } = process.env
const [user, group] = image.config.User.split(':').map(Number)
if (data !== undefined) {
  mkdirSync(data, { recursive: true })
  chownSync(data, user!, group!)
}
const environment = Object.fromEntries(Object.entries(variables).filter(([name]) => isForImage(name)))
const { command, args } = confine(image, { environment, data })
const child = spawn(command, args, { stdio: 'inherit' })
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The first process of the image is the child of the second `unshare`.
    process.kill(childOf(childOf(child.pid!)), signal)
  })
}
child.once('exit', code => { process.exitCode = code ?? 1 })

import { spawnSync } from 'node:child_process'
import t from 'tap'
import type { DeliverSettings } from '../../../../lib/delivery/thread/deliver.js'

const SETTINGS: DeliverSettings = {
  region: 'eu-west-1', requestTimeoutMs: 10_000, background: true, logEventBuffer: 'text'
}
/** Starts the thread, and prints its niceness, or its error. */
const SCRIPT = `
  const [module, settings] = process.argv.slice(1)
  const { Worker } = require('node:worker_threads')
  const code = 'import(process.argv[2]).then(() => require("node:os").getPriority(), ({ message }) => message)' +
    '.then(result => require("node:worker_threads").parentPort.postMessage(result))'
  new Worker(code, { eval: true, argv: [module], workerData: JSON.parse(settings) }).once('message', message => {
    console.log(message)
    process.exit()
  })`
/** Takes the right of root to be less nice than it was started. */
const WITHOUT_RIGHT = process.getuid?.() === 0 ? ['setpriv', '--inh-caps=-all', '--bounding-set=-sys_nice'] : []

/** The niceness of the thread of a process that has this one. */
function nicenessOf (niceness: string): string {
  const module = new URL('../../../../lib/delivery/thread/deliver.js', import.meta.url).href
  const script = [process.execPath, '--eval', SCRIPT, module, JSON.stringify(SETTINGS)]
  const { stdout, stderr } = spawnSync('nice', ['-n', niceness, ...WITHOUT_RIGHT, ...script], { encoding: 'utf8' })
  return (stdout + stderr).trim()
}

const skip = process.platform === 'linux' ? false : 'threads have a priority of their own on Linux alone'

t.test('the thread gives way to requests, and starts where it would have to be less nice', { skip }, async t => {
  const own = Number(spawnSync('nice', { encoding: 'utf8' }).stdout)
  t.equal(nicenessOf('0'), String(Math.max(own, 5)))
  t.equal(nicenessOf('19'), String(Math.min(own + 19, 19)))
})

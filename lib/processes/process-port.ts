import type { Serializable } from 'node:child_process'
import type { MessagePort } from './channel.js'

/** What both sides have of a process that was forked: the child its own `process`, its parent the child. */
interface ForkedProcess {
  send?: (message: Serializable, handle: undefined, options: undefined, done: (error: Error | null) => void) => boolean
  on (event: 'message', listener: (message: unknown) => void): unknown
}

/** The channel that Node opens between a process and its child. */
export function createProcessPort (forked: ForkedProcess): MessagePort {
  return {
    // A process that has gone is told of by `disconnect`.
    send: message => { forked.send?.(message as Serializable, undefined, undefined, () => {}) },
    listen: listener => { forked.on('message', listener) }
  }
}

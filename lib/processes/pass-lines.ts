import type { Readable } from 'node:stream'

/** A longer line is passed on in pieces. */
const MAX_LINE_LENGTH = 1_048_576

/** Passes on what a process writes, whole lines at a time, so that the lines of several processes stay apart. */
export function passLines (from: Readable, write: (lines: string) => void): void {
  let rest = ''
  from.setEncoding('utf8')
  from.on('data', (chunk: string) => {
    const text = rest + chunk
    const end = text.length > MAX_LINE_LENGTH ? text.length : text.lastIndexOf('\n') + 1
    rest = text.slice(end)
    if (end > 0) write(text.slice(0, end))
  })
  from.once('close', () => { if (rest !== '') write(`${rest}\n`) })
}

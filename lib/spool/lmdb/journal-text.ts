import type { Kind, SpoolRecord } from '../spool.js'
import type { Gathered } from './unstored.js'

/** `[kind, destination, appendedAt, [[items, bytes], …]]`; that many lines follow. */
type Head = [Kind, string, number, [number, number][]]

/** One append as the journal gives it back. */
export interface JournaledAppend {
  kind: Kind
  destination: string
  records: SpoolRecord[]
  appendedAt: number
}

/** Writes appends as the payload of one frame. */
export function toJournalText (appends: Gathered[]): string {
  let text = ''
  for (const { kind, destination, appendedAt, records } of appends) {
    let sizes = ''
    let lines = ''
    for (const { line, items, bytes } of records) {
      sizes += `${sizes === '' ? '' : ','}[${items},${bytes}]`
      lines += `${line}\n`
    }
    text += `["${kind}",${JSON.stringify(destination)},${appendedAt},[${sizes}]]\n${lines}`
  }
  return text
}

/** Reads them back; the checksum of the frame has said that it is what was written. */
export function fromJournalText (text: string): JournaledAppend[] {
  const lines = text.split('\n')
  const appends: JournaledAppend[] = []
  for (let at = 0; at < lines.length - 1;) {
    const [kind, destination, appendedAt, sizes] = JSON.parse(lines[at++]!) as Head
    const records = sizes.map(([items, bytes], i) => ({ line: lines[at + i]!, items, bytes }))
    appends.push({ kind, destination, appendedAt, records })
    at += sizes.length
  }
  return appends
}

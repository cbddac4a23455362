import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { decodeRecord } from '../../lib/spool/record.js'
import type { StoredDatum, StoredLogEvent } from '../../lib/items/item.js'
import type { DeadLetterSummary } from '../../schemas/admin.js'
import type { SeriesSnapshot } from '../sandbox/metrics/metric-store.js'
import type { Fleet } from './fleet.js'
import { itemOfMessage } from './traffic.js'

/** The items in CloudWatch and in the dead letters, by their numbers. */
export interface Evidence {
  /** How often CloudWatch has stored each item. */
  stored: Uint16Array
  /** How often each item is in the dead letters. */
  letters: Uint8Array
  /** 1 when CloudWatch has rejected it for its time, or has refused it for its time and it is in the dead letters. */
  outOfTime: Uint8Array
  /** Items that CloudWatch has rejected for their time, each counted once. */
  rejected: number
  /** Items in the dead letters, as the dead letters count them. */
  deadLetteredItems: number
  /** Items that CloudWatch has stored and nobody has sent. */
  strangers: number
}

const PAGE = 500
/** How CloudWatch refuses a data point for its time. */
const NAMES_THE_TIME = /\.Timestamp must specify a time/

/** Reads CloudWatch and the dead letters. */
export async function gather (fleet: Fleet, items: number): Promise<Evidence> {
  const evidence = {
    stored: new Uint16Array(items + 1),
    letters: new Uint8Array(items + 1),
    outOfTime: new Uint8Array(items + 1),
    rejected: 0,
    deadLetteredItems: 0,
    strangers: 0
  }
  const store = (number: number, count: number): void => {
    if (number >= 1 && number <= items) evidence.stored[number]! += count
    else evidence.strangers += count
  }
  for await (const message of storedMessages(fleet)) store(itemOfMessage(message), 1)
  const series = await (await fetch(`${fleet.sandbox.url}/_sandbox/series`)).json() as SeriesSnapshot[]
  for (const { buckets } of series) {
    for (const { values, counts } of buckets) values.forEach((value, i) => store(value, counts[i]!))
  }
  for await (const letter of deadLetters(fleet)) {
    evidence.deadLetteredItems += letter.items
    for (const number of numbersOf(letter)) {
      evidence.letters[number]!++
      if (NAMES_THE_TIME.test(letter.message)) evidence.outOfTime[number] = 1
    }
  }
  const rejected = new Set(fleet.witness.calls.flatMap(call => call.rejected))
  evidence.rejected = rejected.size
  for (const number of rejected) evidence.outOfTime[number] = 1
  return evidence
}

async function * storedMessages (fleet: Fleet): AsyncGenerator<string> {
  const answer = await fetch(`${fleet.sandbox.url}/_sandbox/items`)
  const lines = createInterface({ input: Readable.fromWeb(answer.body as ReadableStream), crlfDelay: Infinity })
  for await (const line of lines) {
    if (line !== '') yield (JSON.parse(line) as { message: string }).message
  }
}

async function * deadLetters (fleet: Fleet): AsyncGenerator<DeadLetterSummary & { record: string }> {
  let cursor: string | null = ''
  while (cursor !== null) {
    const page: { deadLetters: DeadLetterSummary[], next: string | null } = await ask(
      fleet, `dead-letters?limit=${PAGE}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`
    )
    for (const { id } of page.deadLetters) yield await ask(fleet, `dead-letters/${encodeURIComponent(id)}`)
    cursor = page.next
  }
}

async function ask<T> (fleet: Fleet, path: string): Promise<T> {
  const answer = await fetch(`${fleet.gateways[0]!.url}/admin/${path}`, {
    headers: { authorization: `Bearer ${fleet.adminToken}` }
  })
  if (!answer.ok) throw new Error(`GET /admin/${path} was answered ${answer.status}: ${await answer.text()}`)
  return await answer.json() as T
}

function numbersOf ({ kind, record, items, bytes }: DeadLetterSummary & { record: string }): number[] {
  const stored = { line: record, items, bytes }
  return kind === 'logs'
    ? decodeRecord<StoredLogEvent>(stored).items.map(([, message]) => itemOfMessage(message))
    : decodeRecord<StoredDatum>(stored).items.map(({ Value }) => Value!)
}

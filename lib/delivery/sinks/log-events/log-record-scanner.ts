import { BODY_HEAD, ITEMS_HEAD, TIME_TO_BODY } from '../../../spool/record.js'
import type { UnixMs } from '../../../../schemas/common.js'
import type { StoredLine } from '../../../spool/stored-line.js'

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const codeOf = (character: string): number => character.charCodeAt(0)

/** The value of each of the characters, by its place among them; 0 for all other bytes. */
function tableOf (...rows: Array<[characters: string, value: (place: number) => number]>): Uint8Array {
  const table = new Uint8Array(256)
  for (const [characters, value] of rows) bytesOf(characters).forEach((byte, place) => { table[byte] = value(place) })
  return table
}

const ITEMS = bytesOf(ITEMS_HEAD)
const BODY = bytesOf(BODY_HEAD)
const BEFORE_BODY = bytesOf(TIME_TO_BODY)
const LOG_EVENTS = bytesOf('"logEvents"')
const MESSAGE = bytesOf('"message"')
const TIMESTAMP = bytesOf('"timestamp"')
const OTHER_FIELDS = ['"logGroupName"', '"logStreamName"', '"sentAt"'].map(bytesOf)
const BEFORE_MESSAGE = bytesOf('{"message":"')
const BEFORE_TIME = bytesOf('","timestamp":')
const BEHIND_EVENT = bytesOf('},')

const QUOTE = codeOf('"')
const COMMA = codeOf(',')
const COLON = codeOf(':')
const ARRAY = codeOf('[')
const END_OF_ARRAY = codeOf(']')
const OBJECT = codeOf('{')
const END_OF_OBJECT = codeOf('}')
const ZERO = codeOf('0')
const NINE = codeOf('9')
const SPACE = codeOf(' ')
const TAB = codeOf('\t')
const RETURN = codeOf('\r')
const BACKSLASH = codeOf('\\')
const UNICODE = codeOf('u')
const SHORT_ESCAPE_LENGTH = 2
const UNICODE_ESCAPE_LENGTH = 6
/** The characters that stand behind a backslash in place of one byte. */
const IS_SHORT_ESCAPE = tableOf(['"\\/bfnrt', () => 1])
const NO_DIGIT = 0
/** One more than the value of a hexadecimal digit. */
const DIGIT = tableOf(['0123456789', i => i + 1], ['abcdef', i => i + 11], ['ABCDEF', i => i + 11])
/** Whole numbers of so many digits are exact. */
const MAX_DIGITS = 15

/** The most bytes that an event takes in the JSON that is sent, beyond its bytes in a record. */
export const ADDED_BYTES = BEFORE_MESSAGE.length + BEFORE_TIME.length + MAX_DIGITS + BEHIND_EVENT.length

/** @param end offset in the target, behind the event and its comma */
export type FoundEvent = (timestamp: number, messageBytes: number, end: number) => void

interface Time {
  /** Where the digits lie in the text. */
  start: number
  end: number
  value: UnixMs
}

/**
 * Makes the JSON that PutLogEvents is sent from the bytes of a stored record, event by event, without parsing the
 * record.
 *
 * It takes the two versions of a record that `encodeRecords` and `encodeVerbatimLogEvents` write, as long as no event
 * has to be changed on its way, and makes the events of them that `decodeRecord` reads. Every other record is left to
 * `decodeRecord`.
 */
export class LogRecordScanner {
  readonly #found: FoundEvent
  #text: Uint8Array = new Uint8Array()
  /** The next byte to be read, and where the record ends. */
  #at = 0
  #end = 0
  #target: Uint8Array = new Uint8Array()
  #written = 0
  #events = 0
  /** Bytes of the message read last. */
  #messageBytes = 0
  /** When the request was received: the timestamp of an event without one. */
  readonly #receivedAt: Time = { start: 0, end: 0, value: 0 }
  /** The timestamp read last. */
  readonly #time: Time = { start: 0, end: 0, value: 0 }

  constructor (found: FoundEvent) {
    this.#found = found
  }

  /**
   * Writes `{"message":…,"timestamp":…},` for each event of the record.
   * @param target has room for the line and ADDED_BYTES for each event
   * @returns false when the record has to be decoded; the events found and written so far do not count then
   */
  scan (
    { text, start, end, items }: Pick<StoredLine, 'text' | 'start' | 'end' | 'items'>, target: Uint8Array, at: number
  ): boolean {
    this.#text = text
    this.#at = start
    this.#end = end
    this.#target = target
    this.#written = at
    this.#events = 0
    return (this.#reads(ITEMS) ? this.#readsItems(items) : this.#reads(BODY) && this.#readsBody(items)) &&
      this.#readsByte(END_OF_OBJECT) && this.#at === end && this.#events === items
  }

  /** `[[timestamp,message],…]` */
  #readsItems (items: number): boolean {
    if (!this.#readsByte(ARRAY)) return false
    do {
      if (this.#events === items) return false
      if (!this.#readsByte(ARRAY) || !this.#readsTime(this.#time) || !this.#readsByte(COMMA) ||
        !this.#copiesMessage() || !this.#readsByte(END_OF_ARRAY)) {
        return false
      }
      this.#endEvent(this.#time)
    } while (this.#readsByte(COMMA))
    return this.#readsByte(END_OF_ARRAY)
  }

  /** When the request was received, and its body. */
  #readsBody (items: number): boolean {
    if (!this.#readsTime(this.#receivedAt) || !this.#reads(BEFORE_BODY) || !this.#readsByte(OBJECT)) return false
    do {
      this.#skipSpace()
      // Not a second time: of two fields of one name the last one counts.
      if (this.#events === 0 && this.#readsField(LOG_EVENTS)) {
        if (!this.#readsEvents(items)) return false
      } else if (!OTHER_FIELDS.some(field => this.#readsField(field)) || !this.#readsValue()) return false
      this.#skipSpace()
    } while (this.#readsByte(COMMA))
    if (!this.#readsByte(END_OF_OBJECT)) return false
    this.#skipSpace()
    return true
  }

  #readsEvents (items: number): boolean {
    if (!this.#readsByte(ARRAY)) return false
    do {
      if (this.#events === items) return false
      this.#skipSpace()
      if (!this.#readsEvent()) return false
      this.#skipSpace()
    } while (this.#readsByte(COMMA))
    return this.#readsByte(END_OF_ARRAY)
  }

  #readsEvent (): boolean {
    if (!this.#readsByte(OBJECT)) return false
    let hasMessage = false
    let hasTime = false
    do {
      this.#skipSpace()
      if (!hasMessage && this.#readsField(MESSAGE)) {
        hasMessage = this.#copiesMessage()
        if (!hasMessage) return false
      } else if (!hasTime && this.#readsField(TIMESTAMP)) {
        hasTime = this.#readsTimestamp()
        if (!hasTime) return false
      } else return false
      this.#skipSpace()
    } while (this.#readsByte(COMMA))
    if (!hasMessage || !this.#readsByte(END_OF_OBJECT)) return false
    this.#endEvent(hasTime ? this.#time : this.#receivedAt)
    return true
  }

  #endEvent ({ start, end, value }: Time): void {
    this.#write(BEFORE_TIME, 0, BEFORE_TIME.length)
    this.#write(this.#text, start, end)
    this.#write(BEHIND_EVENT, 0, BEHIND_EVENT.length)
    this.#events++
    this.#found(value, this.#messageBytes, this.#written)
  }

  /** A message that is not empty, without its closing quote. */
  #copiesMessage (): boolean {
    if (!this.#readsByte(QUOTE)) return false
    this.#write(BEFORE_MESSAGE, 0, BEFORE_MESSAGE.length)
    const text = this.#text
    const target = this.#target
    const end = this.#end
    const start = this.#at
    let at = start
    let written = this.#written
    /** Bytes that escapes take in the JSON and not in the message. */
    let escapes = 0
    while (at < end) {
      const byte = text[at]!
      if (byte === QUOTE) {
        this.#at = at + 1
        this.#written = written
        this.#messageBytes = at - start - escapes
        return this.#messageBytes > 0
      }
      if (byte < SPACE) return false
      if (byte === BACKSLASH) {
        const length = this.#escapeLength(at)
        const bytes = length === UNICODE_ESCAPE_LENGTH ? this.#unicodeBytes(at) : 1
        if (length === 0 || bytes === 0) return false
        escapes += length - bytes
        for (const stop = at + length; at < stop; at++) target[written++] = text[at]!
      } else {
        target[written++] = byte
        at++
      }
    }
    return false
  }

  /** Bytes of the escape at this offset; 0 when there is none. */
  #escapeLength (at: number): number {
    const kind = this.#text[at + 1]!
    if (IS_SHORT_ESCAPE[kind] === 1) return SHORT_ESCAPE_LENGTH
    if (kind !== UNICODE) return 0
    for (let i = at + SHORT_ESCAPE_LENGTH; i < at + UNICODE_ESCAPE_LENGTH; i++) {
      if (DIGIT[this.#text[i]!] === NO_DIGIT) return 0
    }
    return UNICODE_ESCAPE_LENGTH
  }

  /** UTF-8 bytes of the character that an escape of six characters stands for; 0 for half a surrogate pair. */
  #unicodeBytes (at: number): number {
    let code = 0
    for (let i = at + SHORT_ESCAPE_LENGTH; i < at + UNICODE_ESCAPE_LENGTH; i++) {
      code = code * 16 + DIGIT[this.#text[i]!]! - 1
    }
    if (code < 0x80) return 1
    if (code < 0x800) return 2
    return code >= 0xd800 && code <= 0xdfff ? 0 : 3
  }

  /** Digits, or a string of digits. */
  #readsTimestamp (): boolean {
    const isString = this.#readsByte(QUOTE)
    return this.#readsTime(this.#time) && (!isString || this.#readsByte(QUOTE))
  }

  /** Digits that JSON.stringify would write the same. */
  #readsTime (time: Time): boolean {
    const text = this.#text
    let at = time.start = this.#at
    let value = 0
    for (let byte = text[at]!; byte >= ZERO && byte <= NINE; byte = text[++at]!) value = value * 10 + byte - ZERO
    time.end = this.#at = at
    time.value = value
    const digits = at - time.start
    return digits > 0 && digits <= MAX_DIGITS && (digits === 1 || text[time.start] !== ZERO)
  }

  /** The value of a field that does not matter. */
  #readsValue (): boolean {
    if (!this.#readsByte(QUOTE)) return this.#readsTime(this.#time)
    while (this.#at < this.#end) {
      const byte = this.#text[this.#at++]!
      if (byte === QUOTE) return true
      if (byte < SPACE) return false
      if (byte === BACKSLASH) {
        const length = this.#escapeLength(this.#at - 1)
        if (length === 0) return false
        this.#at += length - 1
      }
    }
    return false
  }

  /** A name and what is before its value. */
  #readsField (name: Uint8Array): boolean {
    if (!this.#reads(name)) return false
    this.#skipSpace()
    if (!this.#readsByte(COLON)) return false
    this.#skipSpace()
    return true
  }

  #skipSpace (): void {
    for (
      let byte = this.#text[this.#at]; byte === SPACE || byte === TAB || byte === RETURN; byte = this.#text[this.#at]
    ) {
      this.#at++
    }
  }

  /** All of these bytes, or none. */
  #reads (bytes: Uint8Array): boolean {
    const text = this.#text
    const at = this.#at
    for (let i = 0; i < bytes.length; i++) {
      if (text[at + i] !== bytes[i]) return false
    }
    this.#at += bytes.length
    return true
  }

  #readsByte (byte: number): boolean {
    if (this.#text[this.#at] !== byte) return false
    this.#at++
    return true
  }

  #write (source: Uint8Array, start: number, end: number): void {
    const target = this.#target
    let written = this.#written
    for (let i = start; i < end; i++) target[written++] = source[i]!
    this.#written = written
  }
}

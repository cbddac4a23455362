import { createHmac } from 'node:crypto'

/** 64 bits. */
export interface Hash {
  high: number
  low: number
}

/** Who does not know its key cannot choose texts whose hashes are alike. */
export type KeyedHash = (text: string) => Hash

export function createKeyedHash (key: Uint8Array): KeyedHash {
  return text => {
    const digest = createHmac('sha256', key).update(text).digest()
    return { high: digest.readInt32BE(0), low: digest.readInt32BE(4) }
  }
}

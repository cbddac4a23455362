import t from 'tap'
import { KeyedHash } from '../../../lib/usage/keyed-hash.js'

function hashOf (key: readonly [number, number], ...texts: string[]): string {
  const hash = new KeyedHash(key)
  hash.start()
  for (const text of texts) hash.text(text)
  hash.end()
  return `${hash.high},${hash.low}`
}

t.test('is HalfSipHash-2-4 with 64 bits, of whole words', async t => {
  const hash = new KeyedHash([0x03020100, 0x07060504])
  // The vectors of the reference for 0, 4 and 8 bytes, whose last word holds their number.
  const vectors: Array<[words: number[], low: number, high: number]> = [
    [[], 0x591f8d21, 0xc83cb8b9],
    [[0x03020100], 0x178ae7d5, 0xa12ee55b],
    [[0x03020100, 0x07060504], 0x20e8feed, 0x8c85e4bc]
  ]
  for (const [words, low, high] of vectors) {
    hash.start()
    for (const word of words) hash.word(word)
    hash.end()
    t.same([hash.low >>> 0, hash.high >>> 0], [low, high])
  }
})

t.test('tells texts, keys and the border between two texts apart', async t => {
  const key = [1, 2] as const
  const hashes = [
    hashOf(key, 'ab', 'c'), hashOf(key, 'a', 'bc'), hashOf(key, 'abc'), hashOf(key, 'abc', ''), hashOf(key, '', 'abc'),
    hashOf(key, 'ab'), hashOf(key, 'ba'), hashOf(key, 'a\0'), hashOf(key, 'a'), hashOf(key), hashOf(key, ''), hashOf([2, 1], 'abc'), hashOf(key, '\u0100'), hashOf(key, '\u0001')
  ]
  t.equal(new Set(hashes).size, hashes.length)
  t.equal(hashOf(key, 'abc'), hashOf(key, 'abc'))
})

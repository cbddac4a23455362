import { matchesGlob } from '../../../lib/access/glob.js'

/** A glob of a policy. */
export interface Grant {
  glob: string
  /** The globs of the configuration that it stands for, one unless it was widened. */
  standsFor: string[]
}

const WILDCARD = /[*?]/

/** Whether everything that `narrow` stands for is matched by `wide`, too. May miss a case, and is never wrong. */
export function covers (wide: string, narrow: string): boolean {
  // A "?" stands for one character, and a "*" in `narrow` for any number of them.
  if (wide.includes('?') && narrow.includes('*')) return false
  return matchesGlob(wide, narrow)
}

function literalPrefix (glob: string): string {
  const at = glob.search(WILDCARD)
  return at === -1 ? glob : glob.slice(0, at)
}

/** The globs, sorted, without those that another one covers. */
export function distinctGlobs (globs: Iterable<string>): string[] {
  const distinct = [...new Set(Array.from(globs, glob => glob.replaceAll(/\*+/g, '*')))].sort()
  if (distinct.includes('*')) return ['*']
  const widerByPrefix = new Map<string, string[]>()
  for (const glob of distinct) {
    if (!WILDCARD.test(glob)) continue
    const prefix = literalPrefix(glob)
    const wider = widerByPrefix.get(prefix)
    if (wider === undefined) widerByPrefix.set(prefix, [glob])
    else wider.push(glob)
  }
  return distinct.filter(glob => {
    for (let length = 0; length <= glob.length; length++) {
      const wider = widerByPrefix.get(glob.slice(0, length)) ?? []
      if (wider.some(each => each !== glob && covers(each, glob))) return false
    }
    return true
  })
}

function commonPrefixLength (a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  let at = 0
  while (at < length && a[at] === b[at]) at++
  return at
}

function commonSuffixLength (a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  let at = 0
  while (at < length && a[a.length - 1 - at] === b[b.length - 1 - at]) at++
  return at
}

/** One glob for two: what they begin and end with alike, and "*" between. */
export function mergeGlobs (a: string, b: string): string {
  const prefixLength = commonPrefixLength(a, b)
  const [restOfA, restOfB] = [a.slice(prefixLength), b.slice(prefixLength)]
  const suffixLength = commonSuffixLength(restOfA, restOfB)
  const suffix = restOfA.slice(restOfA.length - suffixLength)
  return `${a.slice(0, prefixLength)}*${suffix}`.replaceAll(/\*+/g, '*')
}

/** Two neighbours of one sorted list. */
interface Gap {
  list: number
  /** The place of the first of the two. */
  at: number
  /** Characters that both begin with: the more, the less is widened when the two become one. */
  alike: number
}

/** The gaps between the globs of sorted lists, those first whose neighbours are most alike. */
function gapsOf (lists: readonly string[][]): Gap[] {
  const gaps = lists.flatMap((globs, list) => globs.slice(1).map((glob, at) =>
    ({ list, at, alike: commonPrefixLength(globs[at]!, glob) })))
  return gaps.sort((a, b) => b.alike - a.alike || a.list - b.list || a.at - b.at)
}

/** A glob that stands for those of the sorted list from the place `first` to the place `last`. */
interface Merged {
  glob: string
  first: number
  last: number
}

/** Closes gaps: the two globs, or what they have become, are merged. */
function close (lists: readonly string[][], gaps: readonly Gap[]): Grant[][] {
  const rows = lists.map(globs => globs.map((glob, at): Merged | null => ({ glob, first: at, last: at })))
  const homes = lists.map(globs => globs.map((_glob, at) => at))
  for (const { list, at } of gaps) {
    const row = rows[list]!
    const home = homeOf(homes[list]!, at)
    const [before, behind] = [row[home]!, row[at + 1]!]
    row[home] = { glob: mergeGlobs(before.glob, behind.glob), first: before.first, last: behind.last }
    row[at + 1] = null
    homes[list]![at + 1] = home
  }
  return rows.map((row, list) => withoutCovered(row.filter(merged => merged !== null))
    .map(({ glob, first, last }) => ({ glob, standsFor: lists[list]!.slice(first, last + 1) })))
}

/** The place of the glob that the one of this place has become a part of. */
function homeOf (homes: number[], at: number): number {
  let home = at
  while (homes[home] !== home) home = homes[home] = homes[homes[home]!]!
  return home
}

/** What a widened glob covers besides needs no place of its own. */
function withoutCovered (row: Merged[]): Merged[] {
  const kept = new Set(distinctGlobs(row.map(({ glob }) => glob)))
  return row.filter(({ glob }) => kept.delete(glob))
}

/**
 * Merges globs, those first that are most alike, and no more of them than it takes until they fit. Each glob that is
 * given is covered by one that comes back.
 * @param lists the lists of globs that have to fit together
 */
export function foldGlobs (lists: readonly string[][], fits: (lists: string[][]) => boolean): Grant[][] {
  const sorted = lists.map(distinctGlobs)
  const gaps = gapsOf(sorted)
  const folded = (count: number): Grant[][] => close(sorted, gaps.slice(0, count))
  const isEnough = (count: number): boolean => fits(folded(count).map(row => row.map(({ glob }) => glob)))
  let [least, most] = [0, gaps.length]
  while (least < most) {
    const middle = Math.floor((least + most) / 2)
    if (isEnough(middle)) most = middle
    else least = middle + 1
  }
  return folded(least)
}

import { logs } from '../aws-error.js'
import { decodeToken, encodeToken, textOf, type Input } from '../input.js'
import { pageLimitOf } from './log-names.js'

const MAX_PAGE = 50

export function byName (a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}

/** The page that limit and nextToken ask for. @throws AwsError */
export function page<T> (found: T[], input: Input): { shown: T[], nextToken: string | undefined } {
  const limit = pageLimitOf(input, MAX_PAGE)
  const token = textOf(input, 'nextToken')
  const offset = token === undefined ? 0 : decodeToken(token)?.offset
  if (!Number.isInteger(offset)) throw logs.invalidParameter('The specified nextToken is invalid.')
  const end = offset as number + limit
  return {
    shown: found.slice(offset as number, end),
    nextToken: end < found.length ? encodeToken({ offset: end }) : undefined
  }
}

import { createRequire } from 'node:module'
import { loadLate } from '../http/load-late.js'

const require = createRequire(import.meta.url)

/** fast-jwt, which loads an ASN.1 parser for keys of other algorithms. */
export const jwt = loadLate(() => require('fast-jwt') as typeof import('fast-jwt'))

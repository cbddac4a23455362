import { isObject } from './guards.js'

/** Where `lib` writes what an operator should know; pino is one. */
export interface Log {
  info (fields: object, message: string): void
  warn (fields: object, message: string): void
  error (fields: object, message: string): void
}

/** The parts that pino lets others replace, under symbols that it has made public for that. */
const SERIALIZERS = Symbol.for('pino.serializers')
const HOOKS = Symbol.for('pino.hooks')

type Serializer = (value: unknown) => unknown

interface Pino {
  setBindings (fields: object): void
  [SERIALIZERS]: { err: Serializer }
  [HOOKS]: { streamWrite?: ((line: string) => string) | undefined }
}

function isPino (logger: object): logger is Pino {
  return SERIALIZERS in logger && HOOKS in logger
}

/** An error as pino describes it, without objects: the command of an error of Redis holds items and passwords. */
function withoutObjects (described: unknown): unknown {
  if (!isObject(described)) return described
  const { aggregateErrors, ...fields } = described
  const plain = Object.fromEntries(Object.entries(fields).filter(([, value]) => typeof value !== 'object'))
  return Array.isArray(aggregateErrors) ? { ...plain, aggregateErrors: aggregateErrors.map(withoutObjects) } : plain
}

/** Has a logger of pino, and those that are made of it, name these fields in every line. */
export function bindLog (logger: object, fields: object): void {
  if (isPino(logger)) logger.setBindings(fields)
}

/** A line with every text in it filtered; its numbers stay. */
function filterLine (line: string, filter: (text: string) => string): string {
  if (filter(line) === line) return line
  const filtered: unknown = JSON.parse(line, (_name, value: unknown) =>
    typeof value === 'string' ? filter(value) : value)
  return `${JSON.stringify(filtered)}\n`
}

/**
 * Has a logger of pino, and those that are made of it, filter every line, and show of errors their texts and numbers
 * alone. Any other logger is left as it is.
 */
export function filterLog (logger: object, filter: (text: string) => string): void {
  if (!isPino(logger)) return
  const { [SERIALIZERS]: serializers, [HOOKS]: hooks } = logger
  const { err } = serializers
  const { streamWrite = (line: string) => line } = hooks
  logger[SERIALIZERS] = { ...serializers, err: error => withoutObjects(err(error)) }
  logger[HOOKS] = { ...hooks, streamWrite: line => filterLine(streamWrite(line), filter) }
}

/** A fault that an operator has to mend before the gateway can start: its message says all, and no stack is shown. */
export class ConfigurationError extends Error {
  override name = 'ConfigurationError'
}

const BYTE_ORDER_MARK = '\uFEFF'

/** The text of a file without the mark that some editors begin it with. */
export function withoutByteOrderMark (text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(BYTE_ORDER_MARK.length) : text
}

/** Renames the first variable of a `.env` with a byte order mark, which Node takes for a part of the name. */
export function dropByteOrderMark (environment: Record<string, string | undefined>): void {
  for (const name of Object.keys(environment)) {
    if (name.startsWith(BYTE_ORDER_MARK)) environment[withoutByteOrderMark(name)] ??= environment[name]
  }
}

const CLEAR_LINE = '\r\x1b[K'

/** One line that changes on a terminal, plain lines elsewhere; on stderr, so that stdout holds results only. */
export function createProgress (stream: NodeJS.WriteStream = process.stderr) {
  const startedAt = performance.now()
  const withTime = (text: string): string => `[${Math.round((performance.now() - startedAt) / 1_000)} s] ${text}`
  return {
    show (text: string): void {
      const line = withTime(text)
      stream.write(stream.isTTY ? CLEAR_LINE + line.slice(0, stream.columns - 1) : `${line}\n`)
    },
    /** Prints a line that stays. */
    keep (text: string): void {
      stream.write(`${stream.isTTY ? CLEAR_LINE : ''}${withTime(text)}\n`)
    },
    clear (): void {
      if (stream.isTTY) stream.write(CLEAR_LINE)
    }
  }
}

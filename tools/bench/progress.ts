const CLEAR_LINE = '\r\x1b[K'

/** One line that changes on a terminal, plain lines elsewhere; on stderr, so that stdout holds results only. */
export function createProgress (stream: NodeJS.WriteStream = process.stderr) {
  const startedAt = Date.now()
  return {
    show (text: string): void {
      const line = `[${Math.round((Date.now() - startedAt) / 1_000)} s] ${text}`
      stream.write(stream.isTTY ? CLEAR_LINE + line.slice(0, stream.columns - 1) : `${line}\n`)
    },
    clear (): void {
      if (stream.isTTY) stream.write(CLEAR_LINE)
    }
  }
}

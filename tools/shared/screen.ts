import { styleText } from 'node:util'

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 80
const CLEAR_LINE = '\r\u001B[2K'
const INDENT = '  '
/** Columns of indent and frame, and one that stays free so that no terminal breaks the line. */
const PROGRESS_MARGIN = 5
const COLUMN_GAP = '   '

type Format = Parameters<typeof styleText>[0]

/** The output of a command: in colour and with progress on a terminal, in plain lines elsewhere. */
export interface Screen {
  style (format: Format, text: string): string
  line (text?: string): void
  /** A line that the next output replaces; on a terminal only. */
  progress (text: () => string): void
  done (text: string): void
  /** Prints rows; the first column is aligned to the left, the others to the right. */
  table (rows: string[][]): void
  /** Ends the progress, when there is any. */
  end (): void
}

export function createScreen (stream: NodeJS.WriteStream): Screen {
  const colours = stream.isTTY && process.env.NO_COLOR === undefined
  let spinning: NodeJS.Timeout | null = null

  function style (format: Format, text: string): string {
    return colours ? styleText(format, text) : text
  }

  function end (): void {
    if (spinning === null) return
    clearInterval(spinning)
    spinning = null
    stream.write(CLEAR_LINE)
  }

  function line (text = ''): void {
    end()
    stream.write(text === '' ? '\n' : `${INDENT}${text}\n`)
  }

  return {
    style,
    line,
    end,
    done: text => line(`${style('green', '✔')} ${text}`),

    progress (text) {
      end()
      if (!stream.isTTY) return
      let frame = 0
      spinning = setInterval(() => {
        frame = (frame + 1) % FRAMES.length
        stream.write(
          `${CLEAR_LINE}${INDENT}${style('cyan', FRAMES[frame]!)} ${text().slice(0, stream.columns - PROGRESS_MARGIN)}`
        )
      }, FRAME_MS)
      spinning.unref()
    },

    table (rows) {
      const widths = rows[0]!.map((_cell, column) => Math.max(...rows.map(row => row[column]!.length)))
      rows.forEach((row, index) => {
        const cells = row.map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))
        line(style(index === 0 ? 'dim' : 'reset', cells.join(COLUMN_GAP).trimEnd()))
      })
    }
  }
}

/** A number with separators, as 2,431. */
export function count (value: number): string {
  return value.toLocaleString('en-US')
}

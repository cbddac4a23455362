import { formatNumber, formatRatio } from './format.js'
import { spreadOf } from './stats.js'
import type { Line, Table, Target } from './table.js'

const HEADINGS = ['', 'median (min–max)', '', 'ratio (min–max)', '95 % interval', 'per CPU-s', 'target', '']

export interface Verdict {
  met: boolean
  /** `met`, or how much is missing. */
  text: string
}

/** Whether the rounds of a line meet its target; null when it has none. */
export function judge (line: Line): Verdict | null {
  const { target } = line
  if (target === undefined) return null
  const figure = judgedFigure(line, target)
  const met = target.bound === 'at least' ? figure >= target.limit : figure <= target.limit
  if (met) return { met, text: 'met' }
  const missing = Math.abs(figure - target.limit)
  return {
    met,
    text: `missed by ${target.limit === 0 ? formatNumber(missing) : `${(100 * missing / target.limit).toFixed(1)} %`}`
  }
}

/** The median, or the end of the interval that is nearer to the target. */
function judgedFigure ({ ratios, cpuRatios, values, interval }: Line, { of, bound }: Target): number {
  if (interval !== undefined && of === 'ratio') return bound === 'at least' ? interval.high : interval.low
  return spreadOf({ ratio: ratios, cpuRatio: cpuRatios, value: values }[of]!).median
}

function formatTarget ({ of, bound, limit }: Target): string {
  const figure = of === 'value' ? formatNumber(limit) : formatRatio(limit)
  return `${bound === 'at least' ? '≥' : '≤'} ${figure}${of === 'cpuRatio' ? ' per CPU-s' : ''}`
}

function formatSpread (values: number[], format: (value: number) => string): string {
  const { median, min, max } = spreadOf(values)
  return values.length === 1 ? format(median) : `${format(median)} (${format(min)}–${format(max)})`
}

function cells (line: Line): string[] {
  return [
    line.label,
    formatSpread(line.values, formatNumber),
    line.unit,
    line.ratios === undefined ? '' : formatSpread(line.ratios, formatRatio),
    line.interval === undefined ? '' : `${line.interval.low.toFixed(3)}–${line.interval.high.toFixed(3)}`,
    line.cpuRatios === undefined ? '' : formatRatio(spreadOf(line.cpuRatios).median),
    line.target === undefined ? '' : formatTarget(line.target),
    [judge(line)?.text, line.note].filter(Boolean).join('; ')
  ]
}

/** The headings and the cells of each line, without the columns that are empty. */
function usedCells (lines: Line[]): string[][] {
  const rows = lines.map(cells)
  const used = HEADINGS.map((_heading, column) => rows.some(row => row[column] !== ''))
  return [HEADINGS, ...rows].map(row => row.filter((_cell, column) => used[column]))
}

/** A table as text, with aligned columns. */
export function formatTable ({ title, lines, notes }: Table): string {
  const rows = usedCells(lines)
  const widths = rows[0]!.map((_heading, column) => Math.max(...rows.map(row => row[column]!.length)))
  const write = (row: string[]): string => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()
  return [title, ...rows.map(row => `  ${write(row)}`), ...notes.map(note => `  · ${note}`), ''].join('\n')
}

/** A table as Markdown, for the pages of docs/. */
export function markdownTable ({ title, lines, notes }: Table): string {
  const [headings, ...rows] = usedCells(lines)
  const rule = headings!.map(() => '---')
  const write = (row: string[]): string => `| ${row.join(' | ')} |`
  const noted = notes.map(note => `- ${note}`)
  return [`### ${title}`, '', ...[headings!, rule, ...rows].map(write), '', ...noted, ''].join('\n')
}

/** A table for `--json`: the figures, the rounds that they are made of, and the verdicts. */
export function describeTable ({ title, lines, notes }: Table): object {
  return {
    title,
    notes,
    lines: lines.map(line => ({
      ...line,
      spread: spreadOf(line.values),
      ...(line.ratios !== undefined && { ratio: spreadOf(line.ratios) }),
      ...(line.cpuRatios !== undefined && { cpuRatio: spreadOf(line.cpuRatios) }),
      verdict: judge(line)
    }))
  }
}

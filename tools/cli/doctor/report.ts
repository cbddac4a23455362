import { Type, type Static } from '@sinclair/typebox'

/** From good to bad. */
export const LEVELS = ['ok', 'warning', 'fault'] as const
export type Level = typeof LEVELS[number]

const LevelSchema = Type.Union(LEVELS.map(level => Type.Literal(level)))

/** One thing that was looked at. */
const LineSchema = Type.Object({
  level: Type.Unsafe<Level>(LevelSchema),
  check: Type.String({ minLength: 1, description: 'The check that looked.' }),
  subject: Type.String({ minLength: 1, description: 'What was looked at.' }),
  finding: Type.String({ minLength: 1, description: 'What was found there, and how.' }),
  mend: Type.Optional(Type.String({ minLength: 1, description: 'What to do about it.' }))
}, { additionalProperties: false })
export type Line = Static<typeof LineSchema>

/** What `doctor --json` prints. */
export const ReportSchema = Type.Object({
  level: Type.Unsafe<Level>(LevelSchema),
  lines: Type.Array(LineSchema)
}, { additionalProperties: false })
export type Report = Static<typeof ReportSchema>

/** A line before its check is named. */
export type Finding = Omit<Line, 'check'>

export function ok (subject: string, finding: string): Finding {
  return { level: 'ok', subject, finding }
}

export function warning (subject: string, finding: string, mend: string): Finding {
  return { level: 'warning', subject, finding, mend }
}

export function fault (subject: string, finding: string, mend: string): Finding {
  return { level: 'fault', subject, finding, mend }
}

export function reportOf (lines: Line[]): Report {
  const worst = Math.max(0, ...lines.map(({ level }) => LEVELS.indexOf(level)))
  return { level: LEVELS[worst]!, lines }
}

const LEVEL_WIDTH = Math.max(...LEVELS.map(({ length }) => length)) + 2
const INDENT = ' '.repeat(LEVEL_WIDTH)

/** The report for a person. */
export function renderReport ({ lines }: Report): string {
  const counts = LEVELS.map(level => {
    const count = lines.filter(line => line.level === level).length
    return level === 'ok' ? `${count} ok` : `${count} ${level}${count === 1 ? '' : 's'}`
  })
  return [
    ...lines.map(({ level, subject, finding, mend }) =>
      `${level.padEnd(LEVEL_WIDTH)}${subject}: ${finding}${mend === undefined ? '' : `\n${INDENT}Mend: ${mend}`}`),
    counts.join(', ')
  ].join('\n')
}

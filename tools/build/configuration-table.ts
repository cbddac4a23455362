/** The lines of docs/configuration.md between which the table stands. */
const BEGIN = '<!-- begin variables -->'
const END = '<!-- end variables -->'

interface Schema {
  properties: Record<string, { default?: unknown, description?: string }>
  required?: string[]
}

/** Markdown would end the cell, or show bold text, at these characters. */
function escapeCell (text: string): string {
  return text.replace(/__\w+__/g, '`$&`').replace(/[|*]/g, '\\$&')
}

function defaultOf (value: unknown, required: boolean): string {
  if (value !== undefined) return ` \`${String(value)}\` `
  return required ? ' *required* ' : ' '
}

/** A table in Markdown of every variable, its default, and what it must be. */
export function configurationTable ({ properties, required = [] }: Schema): string {
  const rows = Object.entries(properties).map(([name, { default: value, description = '' }]) =>
    `| \`${name}\` |${defaultOf(value, required.includes(name))}| ${escapeCell(description)} |`)
  return ['| variable | default | must be |', '|---|---|---|', ...rows].join('\n')
}

/**
 * The page with its table made anew.
 * @throws Error when the page has no place for the table
 */
export function withConfigurationTable (page: string, schema: Schema): string {
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin === -1 || end < begin) throw new Error(`The page has no lines "${BEGIN}" and "${END}".`)
  return `${page.slice(0, begin + BEGIN.length)}\n\n${configurationTable(schema)}\n\n${page.slice(end)}`
}

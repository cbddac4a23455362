/** A sub-command of `cloudwatch-postman`: the export `command` of the file of its name. */
export interface Command {
  name: string
  /** What it does, in a line of the list of commands. */
  summary: string
  /** The text of `--help`: how it is called, what it does, every option, and an example. */
  usage: string
  /**
   * Runs it with the arguments after its name; `--help` never comes here.
   * @returns the exit code; nothing: 0, or that of the process that goes on
   * @throws UsageError or ConfigurationError, of which the message alone is shown
   */
  run (args: string[]): Promise<number | void>
}

import { checkDotEnv, dropByteOrderMark } from '../../lib/configuration/dot-env.js'

/**
 * Adds the variables of `.env` to the environment; without the file the environment alone counts.
 * @throws ConfigurationError when the file cannot be read
 */
export function loadEnvFile (): void {
  checkDotEnv()
  try {
    process.loadEnvFile()
  } catch {
    return
  }
  dropByteOrderMark(process.env)
}

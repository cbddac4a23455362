import { dropByteOrderMark } from '../../lib/configuration.js'

/** Adds the variables of `.env` to the environment; without the file the environment alone counts. */
export function loadEnvFile (): void {
  try {
    process.loadEnvFile()
  } catch {
    return
  }
  dropByteOrderMark(process.env)
}

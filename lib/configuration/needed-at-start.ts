import { ConfigurationError } from './configuration-error.js'

/**
 * Waits for something that the gateway cannot start without.
 * @throws ConfigurationError with the message of an error of this class, which says what to mend
 */
export async function neededAtStart<T> (opening: Promise<T>, errorClass: new (...args: never[]) => Error): Promise<T> {
  try {
    return await opening
  } catch (error) {
    if (!(error instanceof errorClass) || error instanceof ConfigurationError) throw error
    throw new ConfigurationError(error.message, { cause: error })
  }
}

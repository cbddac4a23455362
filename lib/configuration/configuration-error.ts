/** A fault that an operator has to mend before the gateway can start: its message says all, and no stack is shown. */
export class ConfigurationError extends Error {
  override name = 'ConfigurationError'
}

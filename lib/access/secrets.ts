import { SECRET_VARIABLES, type SecretVariable } from '../../schemas/config.js'

export interface ConfiguredSecret {
  variable: SecretVariable
  /** The variable, or that it is one of those in the variable. */
  name: string
  secret: string
}

/** The secrets of the gateway itself, in the order of SECRET_VARIABLES. */
export function configuredSecrets (
  variables: { [Variable in SecretVariable]?: string | string[] | undefined }
): ConfiguredSecret[] {
  return SECRET_VARIABLES.flatMap(variable => {
    const value = variables[variable] ?? []
    const name = Array.isArray(value) ? `one of ${variable}` : variable
    return [value].flat().map(secret => ({ variable, name, secret }))
  })
}

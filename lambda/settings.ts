export type Environment = Readonly<Record<string, string | undefined>>

/** A variable of the function's environment is missing or wrong; the message names it and what it must be. */
export class SettingsError extends Error {
  override name = 'SettingsError'
}

/** An empty variable counts as not set. */
export function textSetting (env: Environment, name: string): string | undefined {
  const value = env[name]?.trim()
  return value === '' ? undefined : value
}

/** @throws SettingsError */
export function requiredSetting (env: Environment, name: string, description: string): string {
  const value = textSetting(env, name)
  if (value === undefined) throw new SettingsError(`${name} must be ${description}`)
  return value
}

/** @throws SettingsError */
export function numberSetting (
  env: Environment, name: string, { otherwise, min, max }: { otherwise: number, min: number, max: number }
): number {
  const text = textSetting(env, name)
  const value = text === undefined ? otherwise : Number(text)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new SettingsError(`${name} must be a whole number from ${min} to ${max}`)
  }
  return value
}

/** @throws SettingsError */
export function choiceSetting<Choice extends string> (
  env: Environment, name: string, choices: readonly Choice[], otherwise: Choice
): Choice {
  const value = textSetting(env, name) ?? otherwise
  if (!(choices as readonly string[]).includes(value)) {
    throw new SettingsError(`${name} must be one of ${choices.join(', ')}`)
  }
  return value as Choice
}

/** Parts between commas. */
export function listSetting (env: Environment, name: string): string[] {
  return textSetting(env, name)?.split(',').map(part => part.trim()).filter(part => part !== '') ?? []
}

/** Milliseconds for one answer of the platform. @throws SettingsError */
export function timeoutSetting (env: Environment, otherwise: number): number {
  return numberSetting(env, 'PLATFORM_TIMEOUT_MS', { otherwise, min: 100, max: 60_000 })
}

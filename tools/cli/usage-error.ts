/** A fault that the person who typed a command can mend: only its message is shown. */
export class UsageError extends Error {}

/** A fault of the arguments themselves, which is shown with the way to the usage of the command. */
export class ArgumentError extends UsageError {}

/** A fault that the person who typed a command can mend: only its message is shown. */
export class UsageError extends Error {}

/** A client token of either form is valid for a day at most. */
export const CLIENT_TOKEN_MAX_AGE_MS = 24 * 3_600_000

/** How far a client's clock may run ahead. */
export const CLIENT_TOKEN_MAX_FUTURE_MS = 5 * 60_000

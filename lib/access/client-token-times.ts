/** A client token of either form is valid for a day at most. */
export const CLIENT_TOKEN_MAX_AGE_MS = 24 * 3_600_000

/** How far the clock of a signer may run ahead: at both ends of a token's life. */
export const CLIENT_TOKEN_MAX_FUTURE_MS = 5 * 60_000

/** The longest that a client token is taken, from when it says that it was issued. */
export const CLIENT_TOKEN_MAX_LIFE_MS = CLIENT_TOKEN_MAX_AGE_MS + CLIENT_TOKEN_MAX_FUTURE_MS

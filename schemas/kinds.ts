/** The kinds of items that records hold; each has its own sink and its own batch limits. */
export const KINDS = ['metrics', 'logs', 'metering'] as const

export type Kind = typeof KINDS[number]

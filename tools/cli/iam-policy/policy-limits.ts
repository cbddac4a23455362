/**
 * Characters of a policy; IAM does not count the white space between them.
 * {@link https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html}
 */
export const POLICY_CHARACTERS = {
  /** A managed policy. */
  managed: 6_144,
  /** All inline policies of one role together. */
  inline: 10_240
} as const
export type PolicyForm = keyof typeof POLICY_CHARACTERS

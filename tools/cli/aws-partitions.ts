/** A part of AWS with accounts, names and addresses of its own. */
export interface Partition {
  /** The second part of every ARN. */
  name: string
  /** What the names of its Regions begin with. */
  regionPrefix: string
  dnsSuffix: string
  /** IAM is one service for the whole partition. */
  iam: { host: string, region: string }
}

const COMMERCIAL: Partition = {
  name: 'aws', regionPrefix: '', dnsSuffix: 'amazonaws.com', iam: { host: 'iam.amazonaws.com', region: 'us-east-1' }
}

/** {@link https://docs.aws.amazon.com/general/latest/gr/iam-service.html} */
const OTHERS: readonly Partition[] = [
  {
    name: 'aws-cn',
    regionPrefix: 'cn-',
    dnsSuffix: 'amazonaws.com.cn',
    iam: { host: 'iam.cn-north-1.amazonaws.com.cn', region: 'cn-north-1' }
  },
  {
    name: 'aws-us-gov',
    regionPrefix: 'us-gov-',
    dnsSuffix: 'amazonaws.com',
    iam: { host: 'iam.us-gov.amazonaws.com', region: 'us-gov-west-1' }
  },
  {
    name: 'aws-eusc',
    regionPrefix: 'eusc-',
    dnsSuffix: 'amazonaws.eu',
    iam: { host: 'iam.eusc-de-east-1.amazonaws.eu', region: 'eusc-de-east-1' }
  },
  {
    name: 'aws-iso',
    regionPrefix: 'us-iso-',
    dnsSuffix: 'c2s.ic.gov',
    iam: { host: 'iam.us-iso-east-1.c2s.ic.gov', region: 'us-iso-east-1' }
  },
  {
    name: 'aws-iso-b',
    regionPrefix: 'us-isob-',
    dnsSuffix: 'sc2s.sgov.gov',
    iam: { host: 'iam.us-isob-east-1.sc2s.sgov.gov', region: 'us-isob-east-1' }
  },
  {
    name: 'aws-iso-e',
    regionPrefix: 'eu-isoe-',
    dnsSuffix: 'cloud.adc-e.uk',
    iam: { host: 'iam.eu-isoe-west-1.cloud.adc-e.uk', region: 'eu-isoe-west-1' }
  },
  {
    name: 'aws-iso-f',
    regionPrefix: 'us-isof-',
    dnsSuffix: 'csp.hci.ic.gov',
    iam: { host: 'iam.us-isof-south-1.csp.hci.ic.gov', region: 'us-isof-south-1' }
  }
]

export const PARTITION_NAMES = [COMMERCIAL, ...OTHERS].map(({ name }) => name)

export function partitionOf (region: string): Partition {
  return OTHERS.find(({ regionPrefix }) => region.startsWith(regionPrefix)) ?? COMMERCIAL
}

import type { StackInput } from './cloudformation.js'

const NETWORK = { VpcId: 'vpc-1', LoadBalancerSubnetIds: 'subnet-a,subnet-b' }
const ADDRESS = {
  DomainName: 'telemetry.shop.example',
  CertificateArn: 'arn:aws:acm:eu-west-1:123456789012:certificate/11111111-2222-3333-4444-555555555555',
  AllowedOrigins: 'https://shop.example,https://www.shop.example'
}

/** The parameters that have no default, in the order of the template. */
export const GIVEN = {
  'gateway.yaml': {
    Image: '123456789012.dkr.ecr.eu-west-1.amazonaws.com/cloudwatch-postman:5.0.0',
    ...NETWORK,
    TaskSubnetIds: 'subnet-a,subnet-b',
    ...ADDRESS
  },
  'gateway-single.yaml': { ...NETWORK, InstanceSubnetId: 'subnet-a', AvailabilityZone: 'eu-west-1a', ...ADDRESS }
}

const ALARMED = { AlarmTopicArn: 'arn:aws:sns:eu-west-1:123456789012:alarms' }
const SITE = {
  RoutePrefix: '/t',
  SiteDomainName: 'shop.example',
  SiteOriginDomainName: 'origin.shop.example',
  SiteCertificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555',
  CloudFrontPrefixListId: 'pl-3b927c52'
}
const OPTIONS = {
  HostedZoneId: 'Z0123456789ABCDEFGHIJ',
  OperatorCidr: '203.0.113.0/24',
  AllowedNamespaces: 'web/*,shop?',
  AllowedLogGroups: '/web/*,/shop/errors'
}

type NamedStack = Omit<StackInput, 'parameters'> & { name: string, parameters: Record<string, string> }

/** Stacks in which every condition of a template holds once, and does not hold once. The first one has the defaults. */
export const STACKS: Record<keyof typeof GIVEN, NamedStack[]> = {
  'gateway.yaml': [
    { name: 'defaults', parameters: { ...GIVEN['gateway.yaml'], ...ALARMED } },
    { name: 'bare', parameters: GIVEN['gateway.yaml'] },
    {
      name: 'serverless',
      region: 'af-south-1',
      parameters: { ...GIVEN['gateway.yaml'], ...OPTIONS, Store: 'elasticache-serverless' }
    },
    { name: 'site', parameters: { ...GIVEN['gateway.yaml'], ...SITE } },
    { name: 'site and options', parameters: { ...GIVEN['gateway.yaml'], ...SITE, ...OPTIONS, ...ALARMED } }
  ],
  'gateway-single.yaml': [
    { name: 'defaults', parameters: { ...GIVEN['gateway-single.yaml'], ...ALARMED } },
    { name: 'bare', parameters: { ...GIVEN['gateway-single.yaml'], SessionManager: 'false' } },
    { name: 'options', parameters: { ...GIVEN['gateway-single.yaml'], ...OPTIONS } }
  ]
}

import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import t from 'tap'
import { findEndpoints } from '../../../lib/delivery/aws-endpoint.js'
import { PARTITION_NAMES, partitionOf } from '../../../tools/cli/aws-partitions.js'

const REGIONS = [
  'eu-west-1', 'cn-north-1', 'us-gov-west-1', 'eusc-de-east-1', 'us-iso-east-1', 'us-isob-east-1', 'eu-isoe-west-1',
  'us-isof-south-1'
]

t.test('the address of each partition is the one that the SDK finds', async t => {
  const credentials = { accessKeyId: 'unused', secretAccessKey: 'unused' }
  process.env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS = 'true'
  t.teardown(() => { delete process.env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS })
  for (const region of REGIONS) {
    const { cloudwatch, logs } = await findEndpoints({
      cloudwatch: new CloudWatchClient({ region, credentials }), logs: new CloudWatchLogsClient({ region, credentials })
    })
    const { dnsSuffix } = partitionOf(region)
    t.strictSame(
      [cloudwatch.hostname, logs.hostname], [`monitoring.${region}.${dnsSuffix}`, `logs.${region}.${dnsSuffix}`]
    )
  }
  t.strictSame(REGIONS.map(region => partitionOf(region).name), PARTITION_NAMES)
  t.equal(partitionOf('*').name, 'aws')
})

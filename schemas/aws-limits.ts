/**
 * Every limit that AWS sets, once, with the page it comes from.
 * Nothing else in this project writes one of these numbers again.
 */

/** {@link https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html} */
export const PUT_METRIC_DATA = {
  /** Different metrics in one request. */
  MAX_DATUMS: 1_000,
  /**
   * Bytes of raw JSON in one request. The page says 1 MB for the POST and allows gzip without saying which side is
   * counted; the CloudWatch agent caps 999,000 bytes before compression, and so do we.
   */
  MAX_BYTES: 999_000,
  /** Bytes after which CloudWatch itself refuses the request. */
  HARD_MAX_BYTES: 1_048_576,
  MAX_DIMENSIONS: 30,
  /** Entries in Values, and so in Counts, of one datum. */
  MAX_VALUES: 150,
  /** Values lie in [-2^360, 2^360]; NaN and the infinities are refused. */
  MAX_ABSOLUTE_VALUE: 2 ** 360,
  /** A value that is not 0 must not be nearer to it. */
  MIN_ABSOLUTE_VALUE: 2 ** -360,
  MAX_AGE_MS: 14 * 24 * 3_600_000,
  MAX_FUTURE_MS: 2 * 3_600_000,
  MAX_NAMESPACE_LENGTH: 255,
  MAX_METRIC_NAME_LENGTH: 255,
  MAX_DIMENSION_NAME_LENGTH: 255,
  MAX_DIMENSION_VALUE_LENGTH: 1_024,
  /** Seconds; the two periods in which CloudWatch stores data points. */
  STORAGE_RESOLUTIONS: [1, 60],
  DEFAULT_STORAGE_RESOLUTION: 60,
  /**
   * Calls per second, account and Region; adjustable.
   * {@link https://docs.aws.amazon.com/general/latest/gr/cw_region.html}
   */
  TPS: 500
} as const

/** {@link https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html} */
export const UNITS = [
  'Seconds', 'Microseconds', 'Milliseconds',
  'Bytes', 'Kilobytes', 'Megabytes', 'Gigabytes', 'Terabytes',
  'Bits', 'Kilobits', 'Megabits', 'Gigabits', 'Terabits',
  'Percent', 'Count',
  'Bytes/Second', 'Kilobytes/Second', 'Megabytes/Second', 'Gigabytes/Second', 'Terabytes/Second',
  'Bits/Second', 'Kilobits/Second', 'Megabits/Second', 'Gigabits/Second', 'Terabits/Second',
  'Count/Second', 'None'
] as const

/** {@link https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html} */
export const PUT_LOG_EVENTS = {
  /** The sum of all messages in UTF-8 bytes plus EVENT_OVERHEAD_BYTES for each. */
  MAX_BYTES: 1_048_576,
  EVENT_OVERHEAD_BYTES: 26,
  MAX_EVENTS: 10_000,
  /** UTF-8 bytes of one message: 1 MB, less the overhead that a batch of one must fit too. */
  MAX_EVENT_BYTES: 1_048_550,
  /** Between the oldest and the newest event of one batch. */
  MAX_SPAN_MS: 24 * 3_600_000,
  MAX_AGE_MS: 14 * 24 * 3_600_000,
  MAX_FUTURE_MS: 2 * 3_600_000,
  /**
   * Calls per second, account and Region; adjustable.
   * {@link https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html}
   */
  TPS: 5_000
} as const

/**
 * {@link https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html}
 */
export const EMBEDDED_METRICS = {
  /** Metrics of one directive. */
  MAX_METRICS: 100,
  /** Values of one metric. */
  MAX_VALUES: 100,
  MAX_DIMENSION_NAME_LENGTH: 250,
  NAMESPACE_PATTERN: '^[a-zA-Z0-9 ._#:/-]+$'
} as const

/** {@link https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html} */
export const LOG_GROUP_NAME = { MAX_LENGTH: 512, PATTERN: '^[.\\-_/#A-Za-z0-9]+$', RESERVED_PREFIX: 'aws/' } as const

/** {@link https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogStream.html} */
export const LOG_STREAM_NAME = { MAX_LENGTH: 512, PATTERN: '^[^:*]*$' } as const

/**
 * Control characters, and those that change the direction of text: a terminal would obey them, where an operator reads.
 */
export const CONTROL_CHARACTERS = '[\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]'

/** {@link https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html} */
export const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
] as const

/**
 * Calls per second, account and Region.
 * {@link https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html}
 */
export const LOG_DESTINATION_TPS = { CreateLogGroup: 10, CreateLogStream: 50, PutRetentionPolicy: 5 } as const

/** Calls per second of each API that the gateway calls. */
export const API_TPS = {
  PutMetricData: PUT_METRIC_DATA.TPS, PutLogEvents: PUT_LOG_EVENTS.TPS, ...LOG_DESTINATION_TPS
} as const
export type RateLimitedApi = keyof typeof API_TPS

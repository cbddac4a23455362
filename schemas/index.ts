import type { TSchema } from '@sinclair/typebox'
import {
  DeadLetterCountSchema, DeadLetterPageSchema, DeadLetterSchema, DeadLetterSelectionSchema, DeadLetterSummarySchema
} from './admin.js'
import { ErrorAnswerSchema } from './error-answer.js'
import { FailingPartSchema, HealthDetailSchema, HealthSchema } from './health.js'
import { IntakeAnswerSchema, IntakeErrorSchema, RejectedItemSchema } from './intake.js'
import { LogEventSchema, LogEventsRequestSchema } from './log-events.js'
import {
  AccessLogsAnswerSchema, AccessLogsRequestSchema, AuthorizeAnswerSchema, FirehoseAnswerSchema, FirehoseRequestSchema
} from './metering.js'
import { DimensionSchema, MetricDatumSchema, MetricRequestSchema, StatisticSetSchema } from './metric.js'
import { RevocationListSchema, RevocationRequestSchema, RevocationSchema } from './revocations.js'
import { TestAnswerSchema } from './test-metric.js'
import { TokenAnswerSchema, TokenRequestSchema } from './token.js'
import { ApplicationUsageSchema, UsageReportSchema } from './usage.js'

/** Every schema that a route refers to by name. */
export const COMPONENTS: TSchema[] = [
  ErrorAnswerSchema, TokenRequestSchema, TokenAnswerSchema,
  DimensionSchema, StatisticSetSchema, MetricDatumSchema, MetricRequestSchema,
  LogEventSchema, LogEventsRequestSchema,
  RejectedItemSchema, IntakeAnswerSchema, IntakeErrorSchema,
  TestAnswerSchema, HealthSchema, FailingPartSchema, HealthDetailSchema,
  DeadLetterSummarySchema, DeadLetterSchema, DeadLetterPageSchema, DeadLetterSelectionSchema, DeadLetterCountSchema,
  AccessLogsRequestSchema, AccessLogsAnswerSchema, FirehoseRequestSchema, FirehoseAnswerSchema, AuthorizeAnswerSchema,
  RevocationRequestSchema, RevocationSchema, RevocationListSchema,
  ApplicationUsageSchema, UsageReportSchema
]

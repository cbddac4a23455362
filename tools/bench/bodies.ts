/** UTF-8 bytes of a log message. */
export const MESSAGE_BYTES = 100
export const LOG_GROUP = '/bench'
export const NAMESPACE = 'bench'

const SERIES = 100
const VALUES_PER_SERIES = 100

/** A log message that differs for each index, and always has the same length. */
export function logMessage (index: number): string {
  const line = `${String(index).padStart(9, '0')} GET /checkout/basket 200 "Mozilla/5.0" `
  return line.padEnd(MESSAGE_BYTES, 'shop.example ')
}

export function logBody (events: number, stream = 'stream'): string {
  return JSON.stringify({
    logGroupName: LOG_GROUP,
    logStreamName: stream,
    logEvents: Array.from({ length: events }, (_event, index) => ({ message: logMessage(index) }))
  })
}

/** Whole numbers that spread over a few hundred, as milliseconds of a page load do. */
function valueOf (index: number): number {
  return 200 + (index * 7_919) % 997
}

function datum (series: number, index: number) {
  return {
    MetricName: 'PageLoad',
    Value: valueOf(index),
    Unit: 'Milliseconds',
    Dimensions: [{ Name: 'Page', Value: `/page/${series}` }]
  }
}

export function metricBody (points: number): string {
  return JSON.stringify({
    params: {
      Namespace: NAMESPACE,
      MetricData: Array.from({ length: points }, (_point, index) => datum(index % SERIES, index))
    }
  })
}

/** Bodies of one point each over 100 series of one namespace, to be sent in turn. */
export function singlePointBodies (): string[] {
  return Array.from({ length: SERIES * VALUES_PER_SERIES }, (_body, index) =>
    JSON.stringify({ params: { Namespace: NAMESPACE, MetricData: [datum(index % SERIES, index)] } }))
}

/** A metric with the values of its dimensions. */
export interface Series {
  MetricName: string
  Dimensions?: ReadonlyArray<{ Name: string, Value: string }> | undefined
}

/** No name or value of CloudWatch holds it. */
const SEPARATOR = '\0'

/** A text that tells the series from every other of its namespace; the same for any order of its dimensions. */
export function nameInNamespace ({ MetricName, Dimensions = [] }: Series): string {
  const dimensions = Dimensions.map(({ Name, Value }) => SEPARATOR + Name + SEPARATOR + Value)
  if (dimensions.length > 1) dimensions.sort()
  return MetricName + dimensions.join('')
}

/** @param name of the series in its namespace */
export function seriesKey (namespace: string, name: string): string {
  return namespace + SEPARATOR + name
}

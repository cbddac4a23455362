/** Three significant digits, or all of an integer, with thousands separators. */
export function formatNumber (value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return Number(value.toPrecision(3)).toString()
}

export function formatRatio (ratio: number): string {
  return `${ratio.toFixed(2)}×`
}

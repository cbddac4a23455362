import t from 'tap'
import { PairedFigure } from '../../../tools/bench/comparison/comparison.js'
import { judge, markdownTable } from '../../../tools/bench/table-report.js'
import { atLeast, atMost, type Line } from '../../../tools/bench/table.js'

const line = (values: Partial<Line>): Line => ({ label: 'intake', unit: 'µs/request', values: [1], ...values })

t.test('a target is judged by the median', async t => {
  t.equal(judge(line({ values: [1, 3, 9] })), null, 'no target, no verdict')
  t.equal(judge(line({ values: [1, 3, 9], target: atMost(3, 'value') }))!.text, 'met')
  t.equal(judge(line({ values: [1, 3, 9], target: atMost(2, 'value') }))!.text, 'missed by 50.0 %')
  t.equal(judge(line({ ratios: [0.7, 0.9, 2], target: atLeast(1) }))!.text, 'missed by 10.0 %')
})

t.test('with an interval, a target is missed only when the whole interval lies beyond it', async t => {
  const judged = (low: number, high: number): string => judge(line({ ratios: [1.09], interval: { low, high }, target: atMost(1.08) }))!.text
  t.equal(judged(1.01, 1.05), 'met')
  t.equal(judged(1.07, 1.2), 'met')
  t.equal(judged(1.09, 1.2), 'missed by 0.9 %')
  t.equal(judge(line({ ratios: [0.6], interval: { low: 0.5, high: 0.7 }, target: atLeast(0.8) }))!.met, false)
  t.equal(judge(line({ ratios: [0.6], interval: { low: 0.5, high: 0.8 }, target: atLeast(0.8) }))!.met, true)
  t.equal(judge(line({ values: [3], ratios: [1], interval: { low: 1, high: 1 }, target: atMost(2, 'value') }))!.met, false, 'a target of the figure itself knows no interval')
})

t.test('two builds are compared by the ratios of their rounds', async t => {
  const figure = new PairedFigure('1 event', 'µs/request', atMost(1.08))
  for (const [before, after] of [[100, 120], [50, 60], [80, 96]]) {
    figure.add('new', after!)
    figure.add('old', before!)
  }
  const [old, fresh] = figure.lines({ old: { root: '/old', label: 'aaaaaaa' }, new: { root: '/new', label: 'bbbbbbb' } }) as [Line, Line]
  t.same(old.values, [100, 50, 80])
  t.equal(old.target, undefined)
  t.same(fresh.ratios, [1.2, 1.2, 1.2])
  t.same(fresh.interval, { low: 1.2, high: 1.2 })
  t.equal(judge(fresh)!.text, 'missed by 11.1 %')
  t.equal(figure.describeRound(), '1 event 80 → 96 µs/request (1.20×)')
})

t.test('a table is written as Markdown without its empty columns', async t => {
  const lines = [line({ values: [1, 3, 2], ratios: [1, 2, 1.5], target: atLeast(1) }), line({ label: 'other', note: 'n' })]
  t.equal(markdownTable({ title: 'Intake', lines, notes: ['how'] }), [
    '### Intake', '',
    '|  | median (min–max) |  | ratio (min–max) | target |  |',
    '| --- | --- | --- | --- | --- | --- |',
    '| intake | 2 (1–3) | µs/request | 1.50× (1.00×–2.00×) | ≥ 1.00× | met |',
    '| other | 1 | µs/request |  |  | n |', '',
    '- how', ''
  ].join('\n'))
})

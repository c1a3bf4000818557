import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createMetrics } from './metrics.ts'

test('renders counters and gauges as Prometheus text', () => {
  const metrics = createMetrics()
  const allowed = metrics.counter('picket_requests_total', 'Requests decided.', { decision: 'allow' })
  const denied = metrics.counter('picket_requests_total', 'Requests decided.', { decision: 'deny' })
  metrics.gauge('picket_connections', 'Open connections.').set(3)
  allowed.add()
  allowed.add(2)
  denied.add()
  assert.equal(
    metrics.render(),
    [
      '# HELP picket_requests_total Requests decided.',
      '# TYPE picket_requests_total counter',
      'picket_requests_total{decision="allow"} 3',
      'picket_requests_total{decision="deny"} 1',
      '# HELP picket_connections Open connections.',
      '# TYPE picket_connections gauge',
      'picket_connections 3',
      '',
    ].join('\n'),
  )
})

test('histogram buckets are cumulative, closed above and end in +Inf', () => {
  const metrics = createMetrics()
  const duration = metrics.histogram('seconds', 'Durations.', [0.1, 1], { route: 'pay' })
  for (const value of [0.05, 0.1, 0.5, 7]) duration.observe(value)
  assert.deepEqual(metrics.render().split('\n').slice(2, -1), [
    'seconds_bucket{route="pay",le="0.1"} 2',
    'seconds_bucket{route="pay",le="1"} 3',
    'seconds_bucket{route="pay",le="+Inf"} 4',
    'seconds_sum{route="pay"} 7.65',
    'seconds_count{route="pay"} 4',
  ])
})

test('the same name and labels give the same series', () => {
  const metrics = createMetrics()
  metrics.counter('total', 'Total.', { a: '1' }).add()
  metrics.counter('total', 'Total.', { a: '1' }).add()
  assert.match(metrics.render(), /^total\{a="1"\} 2$/m)
})

test('gauges that are read when rendered are read each time', () => {
  const metrics = createMetrics()
  const age = metrics.gauge('age', 'Age.')
  let now = 0
  metrics.onRender(() => age.set(++now))
  assert.match(metrics.render(), /^age 1$/m)
  assert.match(metrics.render(), /^age 2$/m)
})

test('label values cannot break out of their quotes or their line', () => {
  fc.assert(
    fc.property(fc.string(), (value) => {
      const metrics = createMetrics()
      metrics.counter('total', 'Total.', { label: value }).add()
      const line = metrics.render().split('\n')[2] ?? ''
      const quoted = /^total\{label="((?:[^"\\\n]|\\["\\n])*)"\} 1$/.exec(line)?.[1]
      assert.equal(
        quoted?.replace(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter)),
        value,
      )
    }),
  )
})

/**
 * Counters, gauges and histograms as numbers in typed arrays, rendered as Prometheus text (exposition format 0.0.4) only
 * when somebody asks. An increment on the request path is one array write; label values are resolved to a cell once,
 * not per request.
 */
export interface Counter {
  add(amount?: number): void
}

export interface Gauge {
  set(value: number): void
}

export interface Histogram {
  observe(value: number): void
}

export interface Metrics {
  counter(name: string, help: string, labels?: MetricLabels): Counter
  gauge(name: string, help: string, labels?: MetricLabels): Gauge
  histogram(name: string, help: string, bounds: readonly number[], labels?: MetricLabels): Histogram
  /** A gauge read when rendered. */
  onRender(update: () => void): void
  render(): string
}

/** Label names → values. Values from the wire (paths, addresses) do not belong here: they have no bound in number. */
export type MetricLabels = Readonly<Record<string, string>>

type Kind = 'counter' | 'gauge' | 'histogram'

interface Family {
  readonly name: string
  readonly help: string
  readonly kind: Kind
  readonly series: Map<string, Series>
}

interface Series {
  readonly cells: Float64Array
  /** Upper bounds of a histogram, `+Inf` excluded. Cells: a count per bucket, the overflow bucket, the sum. */
  readonly bounds: Float64Array
}

/** Prometheus' usual buckets for request durations, in seconds. */
export const DURATION_BOUNDS_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
] as const

export function createMetrics(): Metrics {
  const families = new Map<string, Family>()
  const updates: (() => void)[] = []

  /** The same name and labels give the same series: asking twice is how two modules share one. */
  function seriesOf(
    kind: Kind,
    name: string,
    help: string,
    labels: MetricLabels = {},
    bounds: readonly number[] = [],
  ): Series {
    const family = families.get(name) ?? { name, help, kind, series: new Map<string, Series>() }
    families.set(name, family)
    const key = renderLabels(labels)
    const found = family.series.get(key)
    if (found) return found
    const size = kind === 'histogram' ? bounds.length + 2 : 1
    const series = { cells: new Float64Array(size), bounds: Float64Array.from(bounds) }
    family.series.set(key, series)
    return series
  }

  return {
    counter(name, help, labels) {
      const { cells } = seriesOf('counter', name, help, labels)
      return { add: (amount = 1) => void (cells[0]! += amount) }
    },
    gauge(name, help, labels) {
      const { cells } = seriesOf('gauge', name, help, labels)
      return { set: (value) => void (cells[0] = value) }
    },
    histogram(name, help, wanted, labels) {
      const { cells, bounds } = seriesOf('histogram', name, help, labels, wanted)
      const overflow = bounds.length
      return {
        observe(value) {
          let bucket = 0
          while (bucket < overflow && value > bounds[bucket]!) bucket++
          cells[bucket]! += 1
          cells[overflow + 1]! += value
        },
      }
    },
    onRender: (update) => void updates.push(update),
    render() {
      for (const update of updates) update()
      return [...families.values()].map(renderFamily).join('')
    },
  }
}

function renderFamily({ name, help, kind, series }: Family): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`]
  for (const [labels, { cells, bounds }] of series) {
    if (kind === 'histogram') lines.push(...renderHistogram(name, labels, cells, bounds))
    else lines.push(`${name}${labels} ${cells[0]}`)
  }
  return `${lines.join('\n')}\n`
}

function renderHistogram(name: string, labels: string, cells: Float64Array, bounds: Float64Array): string[] {
  const lines: string[] = []
  let cumulative = 0
  for (let bucket = 0; bucket <= bounds.length; bucket++) {
    cumulative += cells[bucket]!
    const le = bucket < bounds.length ? String(bounds[bucket]) : '+Inf'
    const joined = labels === '' ? `{le="${le}"}` : `${labels.slice(0, -1)},le="${le}"}`
    lines.push(`${name}_bucket${joined} ${cumulative}`)
  }
  lines.push(`${name}_sum${labels} ${cells[bounds.length + 1]}`, `${name}_count${labels} ${cumulative}`)
  return lines
}

function renderLabels(labels: MetricLabels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

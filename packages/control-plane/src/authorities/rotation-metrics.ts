import type { AuthorityRecord } from '@picket/ca'
import { ROTATION_PHASES, type RotationProgress } from '@picket/rpc'
import type { Metrics, Watch } from '@picket/runtime'

const KINDS = ['x509', 'jwt'] as const
const STATES = ['prepared', 'active', 'old'] as const

/** When each kind of authority ends, what a rotation does, and how many hold it up. */
export function measureRotation(
  metrics: Metrics,
  { authorities }: { readonly authorities: Watch<readonly Pick<AuthorityRecord, 'kind' | 'state' | 'notAfter'>[]> },
  progress: Watch<RotationProgress | undefined>,
): void {
  const ends = KINDS.flatMap((kind) =>
    STATES.map((state) => {
      const help = 'When the last authority of this kind and state ends, 0 = there is none'
      return {
        kind,
        state,
        gauge: metrics.gauge('picket_authority_not_after_timestamp_seconds', help, { kind, state }),
      }
    }),
  )
  const phases = ROTATION_PHASES.filter((phase) => phase !== 'done').map((phase) => ({
    phase,
    gauge: metrics.gauge('picket_rotation_phase', '1 for the phase that a rotation is in', { phase }),
  }))
  const laggards = metrics.gauge('picket_rotation_laggards', 'Sidecars that hold up the rotation under way')
  metrics.onRender(() => {
    for (const { kind, state, gauge } of ends) {
      const found = authorities.value.filter((authority) => authority.kind === kind && authority.state === state)
      gauge.set(Math.max(0, ...found.map(({ notAfter }) => notAfter.getTime() / 1000)))
    }
    for (const { phase, gauge } of phases) gauge.set(progress.value?.phase === phase ? 1 : 0)
    laggards.set(progress.value?.laggards.length ?? 0)
  })
}

import type { Clock } from '@picket/runtime'
import type { EnrollmentDenial, EnrollmentService } from '../registration/enrollment.ts'
import type { SyncConnection } from './sync-connection.ts'
import { toStanding } from './sync-opening.ts'

type Question = (facts: readonly string[]) => boolean

interface RecheckDeps {
  readonly enrollment: Pick<EnrollmentService, 'confirm'>
  readonly clock: Pick<Clock, 'sleep'>
}

/** After so many others' calls get a turn. */
const IN_A_ROW = 32

/**
 * Asks the entries again about streams whose facts may be touched. One run at a time: whoever asks during one waits for
 * the next, which looks for all who ask by then, so that a thousand changes are not a thousand looks at each sidecar.
 */
export function createRecheck(
  { enrollment, clock }: RecheckDeps,
  connections: () => Iterable<SyncConnection>,
  dismiss: (connection: SyncConnection, denial: EnrollmentDenial) => void,
): (isTouched?: Question) => Promise<void> {
  let asked: Question[] = []
  let running = Promise.resolve()
  let next: Promise<void> | undefined

  async function run(): Promise<void> {
    const questions = asked
    asked = []
    next = undefined
    const isTouched = ({ standing }: SyncConnection): boolean => questions.some((ask) => ask(standing.facts))
    for (const [index, connection] of [...connections()].filter(isTouched).entries()) {
      if (index % IN_A_ROW === IN_A_ROW - 1) await clock.sleep(0)
      const { id, serialNumber } = connection.identity
      const confirmed = await enrollment.confirm(id, serialNumber)
      if (confirmed.kind === 'denied') dismiss(connection, confirmed)
      else connection.confirm(toStanding(confirmed))
    }
  }

  return (isTouched = () => true) => {
    asked.push(isTouched)
    if (!next) {
      next = running.then(run)
      running = next.catch(() => {})
    }
    return next
  }
}

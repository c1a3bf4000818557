import type { BundleSource } from '@picket/identity'
import type { Clock, Logger, SettingsOf } from '@picket/runtime'
import type { AttestationStore } from './attestation.ts'
import { ControlPlaneError } from '../error.ts'
import type { JoinTokens } from './join-tokens.ts'
import type { Attestor } from './attestor.ts'
import type { attestorSettings } from './attestor-settings.ts'
import { createAttestors, type Attestors } from './attestors.ts'
import type { Challenges } from './challenge.ts'
import { createExpiredSvidAttestor } from './expired-svid.ts'
import { createJoinTokenAttestor } from './join-token.ts'
import { createKubernetesAttestor } from './kubernetes.ts'
import { createTokenReviews } from './token-review.ts'
import { createX509PopAttestor, loadAuthorities } from './x509-pop.ts'

export type AttestorSettings = SettingsOf<typeof attestorSettings>

export interface AttestorDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly challenges: Challenges
  readonly tokens: Pick<JoinTokens, 'check'>
  readonly store: Pick<AttestationStore, 'findAttestation'>
  /** The bundle and the deny-list of now. */
  readonly bundles: () => BundleSource
}

/** The attestors that the settings ask for. Throws `ERR_ATTESTOR` for settings that lack a partner, and an unreadable CA. */
export async function openAttestors(deps: AttestorDeps, settings: AttestorSettings): Promise<Attestors> {
  const { x509PopCa, renewAfterExpiry } = settings
  if (x509PopCa !== undefined) await loadAuthorities(x509PopCa)
  const table = {
    'join-token': createJoinTokenAttestor(deps.tokens),
    'x509-pop': x509PopCa === undefined ? undefined : createX509PopAttestor(deps, x509PopCa),
    kubernetes: openKubernetes(deps.clock, settings),
    'expired-svid': createExpiredSvidAttestor(deps, renewAfterExpiry),
  }
  return createAttestors(table, deps.logger)
}

function openKubernetes(clock: Clock, settings: AttestorSettings): Attestor<string> | undefined {
  const { kubernetesApi, kubernetesCa, kubernetesTokenFile, kubernetesAudience, kubernetesCluster } = settings
  if (!kubernetesApi) {
    const alone = (['kubernetesCa', 'kubernetesTokenFile', 'kubernetesCluster'] as const).find((key) => settings[key])
    if (alone) throw new ControlPlaneError('ERR_ATTESTOR', `${alone} has no use without kubernetesApi: add it`)
    return undefined
  }
  if (kubernetesTokenFile === undefined || kubernetesCluster === undefined) {
    const message = 'kubernetesApi needs kubernetesTokenFile and kubernetesCluster: add them'
    throw new ControlPlaneError('ERR_ATTESTOR', message)
  }
  const api = { url: kubernetesApi, caFile: kubernetesCa, tokenFile: kubernetesTokenFile }
  const options = { audience: kubernetesAudience, cluster: kubernetesCluster }
  return createKubernetesAttestor(createTokenReviews(clock, api), options)
}

import type { SecureContextOptions } from 'node:tls'
import { createBundleSource, verifyX509Svid, type TrustBundle, type X509Svid } from '@picket/identity'
import { createWatch, type Clock, type Watch } from '@picket/runtime'
import { toEndpointContext } from './bundle-endpoint-certificate.ts'
import { REFRESH_HINT_SECONDS } from './bundle-endpoint-documents.ts'

/** What the endpoint proves itself with, followed until this is disposed of. */
export interface EndpointProof extends Disposable {
  readonly context: Watch<SecureContextOptions>
}

interface SvidDeps {
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly svid: Watch<X509Svid>
  readonly bundle: Watch<TrustBundle>
}

/** Polls that somebody may miss while our authority changes, as the standard advises (SPIFFE_Federation.md 4.1). */
const POLLS_BEFORE_CHANGE = 3
/** Once the old authority has left the bundle: everybody looks once more, and those who did cannot verify it any longer. */
const POLLS_AFTER_WITHDRAWAL = 1.5
const EXPIRY_MARGIN_MS = 60_000

/**
 * `https_spiffe`: the endpoint is whom its SVID says. When the authority changes, the SVID of the old one is shown for a few
 * polls more, as long as it is good: somebody who has not seen the new authority yet could not verify an SVID of it, so
 * would not get the very bundle that holds it, and never again. It gives nobody a power that the old authority's key has not
 * got without it.
 */
export function followSvid({ clock, svid, bundle }: SvidDeps): EndpointProof {
  let shown = svid.value
  let anchor = anchorOf(shown, bundle.value, clock.now())
  let timer: Disposable | undefined
  let dueMs = Infinity
  const context = createWatch(toEndpointContext(shown))

  function show(): void {
    timer?.[Symbol.dispose]()
    dueMs = Infinity
    shown = svid.value
    anchor = anchorOf(shown, bundle.value, clock.now())
    context.set(toEndpointContext(shown))
  }

  function look(): void {
    if (shown === svid.value) return
    const nowMs = clock.now()
    if (anchorOf(svid.value, bundle.value, nowMs) === anchor) return show()
    const { x509Authorities, refreshHintSeconds = REFRESH_HINT_SECONDS } = bundle.value
    const isHeld = x509Authorities.some(({ fingerprintSha256 }) => fingerprintSha256 === anchor)
    const polls = isHeld ? POLLS_BEFORE_CHANGE : POLLS_AFTER_WITHDRAWAL
    const before = dueMs
    dueMs = Math.min(dueMs, nowMs + polls * refreshHintSeconds * 1000, shown.notAfter.getTime() - EXPIRY_MARGIN_MS)
    if (dueMs <= nowMs) return show()
    if (dueMs === before) return
    timer?.[Symbol.dispose]()
    timer = clock.after(dueMs - nowMs, show)
  }

  const subscriptions = [svid.subscribe(look), bundle.subscribe(look)]
  return {
    context,
    [Symbol.dispose]() {
      for (const subscription of subscriptions) subscription[Symbol.dispose]()
      timer?.[Symbol.dispose]()
    },
  }
}

/** The authority of the bundle that vouches for an SVID. */
function anchorOf({ chain }: X509Svid, bundle: TrustBundle, nowMs: number): string | undefined {
  const verdict = verifyX509Svid(chain, createBundleSource([bundle]), new Date(nowMs))
  return verdict.kind === 'verified' ? verdict.path.at(-1)?.fingerprintSha256 : undefined
}

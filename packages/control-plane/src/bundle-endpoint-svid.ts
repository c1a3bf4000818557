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

/** Polls that whoever fetches our bundle may miss while our authority changes (SPIFFE_Federation.md 4.1). */
const MISSED_POLLS = 3
const EXPIRY_MARGIN_MS = 60_000

/**
 * `https_spiffe`: the endpoint is whom its SVID says. When the authority changes, the SVID of the old one is shown for a few
 * polls more, as long as it is good: somebody who has not seen the new authority yet could not verify an SVID of it, so
 * would not get the very bundle that holds it, and never again.
 */
export function followSvid({ clock, svid, bundle }: SvidDeps): EndpointProof {
  let shown = svid.value
  let timer: Disposable | undefined
  const context = createWatch(toEndpointContext(shown))
  const anchorOf = (one: X509Svid): string | undefined => {
    const verdict = verifyX509Svid(one.chain, createBundleSource([bundle.value]), new Date(clock.now()))
    return verdict.kind === 'verified' ? verdict.path.at(-1)?.fingerprintSha256 : undefined
  }
  const show = (): void => {
    timer?.[Symbol.dispose]()
    timer = undefined
    shown = svid.value
    context.set(toEndpointContext(shown))
  }
  const look = (): void => {
    if (shown === svid.value) return
    const anchor = anchorOf(shown)
    if (anchor === undefined || anchor === anchorOf(svid.value)) return show()
    const polls = MISSED_POLLS * (bundle.value.refreshHintSeconds ?? REFRESH_HINT_SECONDS) * 1000
    const leftMs = shown.notAfter.getTime() - clock.now() - EXPIRY_MARGIN_MS
    if (leftMs <= 0) return show()
    timer ??= clock.after(Math.min(polls, leftMs), show)
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

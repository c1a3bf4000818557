import type { BundleSet, BundleSource } from '@picket/identity'
import type { Watch } from '@picket/runtime'

/**
 * Calls `changed` when an authority may have come or gone. A change of the deny-list alone is none: it costs no sessions,
 * since each connection, resumed or not, is verified against the list of its own moment.
 */
export function onBundleChange(bundles: Watch<BundleSource>, changed: () => void): Disposable {
  let known = bundles.value
  return bundles.subscribe((next) => {
    const same = hasSameBundles(known, next)
    known = next
    if (!same) changed()
  })
}

/** The very same bundles, as objects: a source whose bundles cannot be seen is always another one. */
function hasSameBundles(before: BundleSource, after: BundleSource): boolean {
  if (!isSet(before) || !isSet(after) || before.bundles.length !== after.bundles.length) return false
  return before.bundles.every((bundle, index) => bundle === after.bundles[index])
}

function isSet(source: BundleSource): source is BundleSet {
  return 'bundles' in source && Array.isArray(source.bundles)
}

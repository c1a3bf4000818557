import { encodeTrustBundle, parseSpiffeId, type BundleSource, type TrustBundle } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import type { Caller, Relationship, SetRelationshipRequest } from '@picket/rpc'
import { createMetrics, createWatch } from '@picket/runtime'
import { createFakeRandom, createRecordingLogger, FakeClock, settle } from '@picket/runtime/testing'
import { failFetch, type FetchFailure } from './federation-failure.ts'
import { createFederation, type Federation } from './federation.ts'
import type { Store } from '../store/store.ts'

export const own = createTestAuthority('bank.test').bundle
export const partner = createTestAuthority('partner.test').bundle
export const caller: Caller = { id: parseSpiffeId('spiffe://bank.test/picket/operator'), peer: undefined, remote: '' }

export function bundleOf(change: Partial<TrustBundle> = {}): TrustBundle {
  return { ...partner, sequence: 1n, refreshHintSeconds: 300, ...change }
}

export function request(change: Partial<SetRelationshipRequest> = {}): SetRelationshipRequest {
  const url = 'https://partner.test/'
  return { trustDomain: 'partner.test', url, profile: 'https_web', endpointSpiffeId: '', bundle: '', ...change }
}

export const endpointSpiffeId = 'spiffe://partner.test/picket/control-plane'

interface Fetch {
  readonly url: string
  readonly bundles: BundleSource
  readonly signal: AbortSignal
  succeed(bundle: TrustBundle | Buffer): Promise<void>
  fail(failure?: FetchFailure): Promise<void>
}

/** A federation whose fetches wait for the test to end them. */
export class TestFederation {
  readonly clock = new FakeClock()
  readonly logger = createRecordingLogger()
  readonly metrics = createMetrics()
  readonly own = createWatch(own)
  readonly fetches: Fetch[] = []
  readonly store: Store
  readonly #fraction: number
  federation!: Federation

  constructor(store: Store, fraction = 0.5) {
    this.store = store
    this.#fraction = fraction
  }

  async start(): Promise<this> {
    const { clock, logger, metrics, store } = this
    const random = createFakeRandom(this.#fraction)
    const deps = { clock, logger, metrics, store, random, own: this.own }
    this.federation = await createFederation(
      {
        ...deps,
        fetch: ({ url }, bundles, signal) =>
          new Promise((resolve) => {
            const end = (outcome: Parameters<typeof resolve>[0]): Promise<void> => (resolve(outcome), settle())
            this.fetches.push({
              url: url.href,
              bundles,
              signal,
              succeed: (bundle) =>
                end({
                  kind: 'fetched',
                  body: Buffer.isBuffer(bundle) ? bundle : Buffer.from(encodeTrustBundle(bundle)),
                }),
              fail: (failure = failFetch('unreachable', 'nobody is there')) => end(failure),
            })
          }),
      },
      60_000,
    )
    return this
  }

  get newest(): Fetch {
    return this.fetches.at(-1)!
  }

  get held(): TrustBundle | undefined {
    return this.federation.bundles.value.get('partner.test')
  }

  set(change: Partial<SetRelationshipRequest> = {}): Promise<Relationship> {
    return this.federation.handlers.set(request(change), caller)
  }

  /** Sets a relationship whose first fetch brings this. */
  async establish(bundle: TrustBundle = bundleOf(), change: Partial<SetRelationshipRequest> = {}): Promise<void> {
    const set = this.set(change)
    await settle()
    await this.newest.succeed(bundle)
    await set
  }

  async only(): Promise<Relationship> {
    const [relationship, ...others] = await this.federation.handlers.list(caller)
    if (!relationship || others.length > 0) throw new Error(`there are ${others.length + 1} relationships`)
    return relationship
  }

  restart(): Promise<TestFederation> {
    return new TestFederation(this.store).start()
  }
}

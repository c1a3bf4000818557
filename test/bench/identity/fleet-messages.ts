/** What the benchmark says to the process that holds the fleet, and hears from it. Instants are on the machine's clock. */
export interface FleetPlan {
  readonly address: { readonly host: string; readonly port: number }
  readonly trustDomain: string
  readonly trustBundleFile: string
  readonly joinTokens: readonly string[]
}

export type ToFleet =
  | { readonly kind: 'start'; readonly plan: FleetPlan }
  /** Report when this many sidecars hold an SVID of this ID. */
  | { readonly kind: 'expect'; readonly spiffeId: string; readonly count: number }
  | { readonly kind: 'start-traffic' }
  | { readonly kind: 'stop-traffic' }
  | { readonly kind: 'stop' }

export type FromFleet =
  | { readonly kind: 'started'; readonly sidecars: number; readonly residentBytes: number }
  | { readonly kind: 'arrived'; readonly atMs: readonly number[]; readonly missing: number }
  | { readonly kind: 'traffic'; readonly requests: number; readonly failures: Readonly<Record<string, number>> }
  | { readonly kind: 'failed'; readonly error: string }

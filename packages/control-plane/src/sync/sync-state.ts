import {
  DELTA_REFUSED,
  type Ack,
  type Hello,
  type Nack,
  type Resource,
  type ResourceKindName,
  type ResourceStatus,
} from '@picket/rpc'

/** What one sidecar has of one kind of resource, as far as it said. */
export interface KindState {
  readonly kind: ResourceKindName
  /** The newest revision that it was sent, or said that it held. '' = none. */
  readonly sent: string
  readonly acked: string
  /** Why it refused `sent`. */
  readonly nack: Nack | undefined
}

export type SyncState = ReadonlyMap<ResourceKindName, KindState>

export type SyncEvent = Hello | Ack | Nack | { readonly kind: 'sent'; readonly resource: Resource }

const NOTHING = { sent: '', acked: '', nack: undefined } as const

/** The state after an event; a pure function, the stream's driver holds the rest. */
export function nextSyncState(state: SyncState, event: SyncEvent): SyncState {
  if (event.kind === 'hello') {
    return new Map(
      event.held.map(({ kind, revision }) => [kind, { kind, sent: revision, acked: revision, nack: undefined }]),
    )
  }
  const kind = event.kind === 'sent' ? event.resource.kind : event.resource
  const present = state.get(kind) ?? { kind, ...NOTHING }
  return new Map([...state, [kind, nextKindState(present, event)]])
}

function nextKindState(state: KindState, event: Exclude<SyncEvent, Hello>): KindState {
  switch (event.kind) {
    case 'sent':
      return { ...state, sent: event.resource.revision, nack: undefined }
    case 'ack':
      return { ...state, acked: event.revision, nack: event.revision === state.sent ? undefined : state.nack }
    case 'nack':
      if (event.revision !== state.sent) return state
      // Not the resource was refused but the way it came: it is sent again, whole.
      return event.code === DELTA_REFUSED.code ? { ...state, sent: '', nack: undefined } : { ...state, nack: event }
  }
}

/** The first of `wanted` that the sidecar was not sent yet. A refused revision is not sent again; its successor is. */
export function nextResource(
  state: SyncState,
  wanted: readonly Resource[],
  isToWait: (kind: ResourceKindName) => boolean = () => false,
): Resource | undefined {
  return wanted.find(({ kind, revision }) => state.get(kind)?.sent !== revision && !isToWait(kind))
}

export function toResourceStatus({ kind, sent, acked, nack }: KindState): ResourceStatus {
  return {
    kind,
    sentRevision: sent,
    ackedRevision: acked,
    nackCode: nack?.code ?? '',
    nackMessage: nack?.message ?? '',
  }
}

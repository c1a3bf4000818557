import type { Entry, EntryChange, EntryDraft } from '@picket/rpc'
import type { DesiredEntry } from './apply-file.ts'

export type PlanAction = 'create' | 'update' | 'delete' | 'unmanaged'

/** One difference between the files and the control plane. */
export interface PlannedChange {
  readonly action: PlanAction
  /** '' = it is new. */
  readonly id: string
  readonly spiffeId: string
  readonly selectors: readonly string[]
  /** Of an update: `field: before → after`. */
  readonly differences: readonly string[]
  /** Undefined: the entry is in no file and stays, since nothing is pruned. */
  readonly change: EntryChange | undefined
}

export interface Plan {
  readonly changes: readonly PlannedChange[]
  readonly unchanged: number
}

/**
 * What it takes to make the control plane's entries those of the files. An entry is known by its SPIFFE ID and selectors;
 * with `prune`, one whose selectors alone have changed, and which is the only such of its SPIFFE ID, is changed in its
 * place instead of deleted and made again.
 */
export function planEntries(desired: readonly DesiredEntry[], present: readonly Entry[], prune: boolean): Plan {
  const left = new Map(present.map((entry) => [keyOf(entry.spiffeId, entry.selectors), entry]))
  const changes: PlannedChange[] = []
  const fresh: DesiredEntry[] = []
  let unchanged = 0
  for (const entry of desired) {
    const key = keyOf(entry.spiffeId.text, entry.selectors)
    const held = left.get(key)
    left.delete(key)
    if (!held) fresh.push(entry)
    else if (differencesOf(held, toDraft(entry)).length === 0) unchanged += 1
    else changes.push(toUpdate(held, entry))
  }
  for (const entry of fresh) {
    const held = prune ? onlyOne(entry, fresh, [...left.values()]) : undefined
    if (held) left.delete(keyOf(held.spiffeId, held.selectors))
    changes.push(held ? toUpdate(held, entry) : toCreate(entry))
  }
  return { changes: [...changes, ...[...left.values()].map((entry) => toLeftover(entry, prune))], unchanged }
}

function onlyOne(
  { spiffeId }: DesiredEntry,
  fresh: readonly DesiredEntry[],
  left: readonly Entry[],
): Entry | undefined {
  const candidates = left.filter((entry) => entry.spiffeId === spiffeId.text)
  const rivals = fresh.filter((entry) => entry.spiffeId.text === spiffeId.text)
  return candidates.length === 1 && rivals.length === 1 ? candidates[0] : undefined
}

function toCreate(entry: DesiredEntry): PlannedChange {
  const draft = toDraft(entry)
  return { ...headOf('create', '', draft), differences: [], change: { kind: 'create', draft } }
}

function toUpdate(held: Entry, entry: DesiredEntry): PlannedChange {
  const draft = toDraft(entry)
  const change = { kind: 'update', id: held.id, draft } as const
  return { ...headOf('update', held.id, draft), differences: differencesOf(held, draft), change }
}

function toLeftover(entry: Entry, prune: boolean): PlannedChange {
  const change = prune ? ({ kind: 'delete', id: entry.id } as const) : undefined
  return { ...headOf(prune ? 'delete' : 'unmanaged', entry.id, entry), differences: [], change }
}

function headOf(
  action: PlanAction,
  id: string,
  { spiffeId, selectors }: EntryDraft,
): Pick<PlannedChange, 'action' | 'id' | 'spiffeId' | 'selectors'> {
  return { action, id, spiffeId, selectors }
}

function toDraft({
  spiffeId,
  selectors,
  ttlSeconds,
  dnsNames,
  service,
  hint,
  federatesWith,
}: DesiredEntry): EntryDraft {
  return { spiffeId: spiffeId.text, selectors, ttlSeconds, dnsNames, service: service.text, hint, federatesWith }
}

const COMPARED = ['selectors', 'ttlSeconds', 'dnsNames', 'service', 'hint', 'federatesWith'] as const

function differencesOf(before: EntryDraft, after: EntryDraft): readonly string[] {
  return COMPARED.flatMap((field) => {
    const [was, is] = [JSON.stringify(before[field]), JSON.stringify(after[field])]
    return was === is ? [] : [`${field}: ${was} → ${is}`]
  })
}

function keyOf(spiffeId: string, selectors: readonly string[]): string {
  return JSON.stringify([spiffeId, selectors])
}

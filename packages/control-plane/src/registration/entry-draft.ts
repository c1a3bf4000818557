import { parseSpiffeId, parseTrustDomain, type TrustDomain } from '@picket/identity'
import { isReservedId, isServiceName, type EntryDraft } from '@picket/rpc'
import { messageOf } from '@picket/runtime'
import { fillAlike, parseTemplate, type Template } from './entry-template.ts'
import { ControlPlaneError } from '../error.ts'
import type { ParsedDraft } from './registration-entry.ts'
import { parseSelectors } from '../attestors/selectors.ts'

const TTL_SECONDS = { least: 5, most: 24 * 3600 } as const
const MOST_DNS_NAMES = 16
const MOST_FEDERATED = 32
const MOST_HINT_BYTES = 1024

/** Throws `ERR_ENTRY_INVALID` with every problem, each with its field. */
export function parseEntryDraft(draft: EntryDraft, trustDomain: TrustDomain): ParsedDraft {
  const problems: string[] = []
  const spiffeId = parseIdTemplate(draft.spiffeId, trustDomain, problems)
  const selectors = parseSelectors(draft.selectors, problems)
  const { ttlSeconds, hint } = draft
  if (ttlSeconds !== 0 && !(ttlSeconds >= TTL_SECONDS.least && ttlSeconds <= TTL_SECONDS.most)) {
    problems.push(`ttl_seconds: ${ttlSeconds} is not between ${TTL_SECONDS.least} and ${TTL_SECONDS.most}`)
  }
  const dnsNames = parseDnsNames(draft.dnsNames, problems)
  const service = parseService(draft.service, spiffeId, selectors, problems)
  if (Buffer.byteLength(hint) > MOST_HINT_BYTES || /\p{C}/u.test(hint)) {
    problems.push(`hint: it is longer than ${MOST_HINT_BYTES} bytes or holds characters that do not print`)
  }
  const federatesWith = parseFederated(draft.federatesWith, trustDomain, problems)
  if (!spiffeId || !service || problems.length > 0) {
    throw new ControlPlaneError('ERR_ENTRY_INVALID', problems.join('\n'))
  }
  return { spiffeId, selectors, ttlSeconds, dnsNames, service, hint, federatesWith }
}

/** `{td}` may stand for the trust domain; other places are in the path. */
function parseIdTemplate(text: string, trustDomain: TrustDomain, problems: string[]): Template | undefined {
  try {
    const template = parseTemplate(text.replace(/^spiffe:\/\/\{td\}(?=\/|$)/, trustDomain.id))
    const id = parseSpiffeId(fillAlike(template, 'x'))
    const problem =
      id.trustDomain.name !== trustDomain.name
        ? `${text} is not in the trust domain ${trustDomain.name}`
        : id.path === ''
          ? `${text} has no path, so it names no workload`
          : isReservedId(id)
            ? `${text} is under /picket/, which Picket keeps for itself`
            : undefined
    if (problem === undefined) return template
    problems.push(`spiffe_id: ${problem}`)
  } catch (thrown) {
    problems.push(`spiffe_id: ${messageOf(thrown)}`)
  }
  return undefined
}

/**
 * The service's name. Calls to a name go to whoever has it, so two SPIFFE IDs must not come out of one entry under one
 * name: each place of the ID that the selectors leave open is in the name too.
 */
function parseService(
  text: string,
  spiffeId: Template | undefined,
  selectors: readonly string[],
  problems: string[],
): Template | undefined {
  const open = (spiffeId?.places ?? []).filter((place) => !selectors.some((one) => one.startsWith(`${place}:`)))
  const lacksOne = ({ places }: Template): boolean => open.some((place) => !places.includes(place))
  const allOpen = open.map((place) => `{${place.replaceAll(':', '.')}}`).join('_')
  try {
    const last = parseTemplate(spiffeId?.text.split('/').at(-1) ?? 'x')
    const service = text === '' ? (lacksOne(last) ? parseTemplate(allOpen) : last) : parseTemplate(text)
    if (!isServiceName(fillAlike(service, 'x'))) {
      const hint = text === '' ? ': the last segment of the SPIFFE ID is none, so give one' : ''
      problems.push(`service: "${service.text}" is not a service name (lower-case letters, digits, - and _)${hint}`)
    } else if (lacksOne(service)) {
      problems.push(`service: "${text}" would be the name of several SPIFFE IDs: write ${allOpen}`)
    }
    return service
  } catch (thrown) {
    problems.push(`service: ${messageOf(thrown)}`)
    return undefined
  }
}

/** Lower-case host names without wildcards (RFC 1123 labels), at most 253 characters. */
function parseDnsNames(names: readonly string[], problems: string[]): readonly string[] {
  if (names.length > MOST_DNS_NAMES) problems.push(`dns_names: more than ${MOST_DNS_NAMES}`)
  for (const [index, name] of names.entries()) {
    const isName =
      name.length <= 253 &&
      /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
    if (!isName) problems.push(`dns_names[${index}]: "${name}" is not a lower-case host name`)
  }
  return [...new Set(names)]
}

function parseFederated(names: readonly string[], own: TrustDomain, problems: string[]): readonly string[] {
  if (names.length > MOST_FEDERATED) problems.push(`federates_with: more than ${MOST_FEDERATED}`)
  for (const [index, name] of names.entries()) {
    try {
      parseTrustDomain(name)
      if (name === own.name) throw new TypeError(`${name} is the own trust domain`)
    } catch (thrown) {
      problems.push(`federates_with[${index}]: ${messageOf(thrown)}`)
    }
  }
  return [...new Set(names)].sort()
}

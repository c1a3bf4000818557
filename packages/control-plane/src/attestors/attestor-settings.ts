import type { SettingsTable } from '@picket/runtime'
import { parseDuration } from '@picket/runtime'

const LONGEST_WINDOW_MS = 30 * 24 * 3_600_000

/** What the control plane takes as evidence, beside join tokens. */
export const attestorSettings = {
  renewAfterExpiry: {
    parse: parseWindow,
    default: '24h',
    placeholder: 'DURATION',
    doc: 'how long after its end an SVID may still be renewed by the holder of its key; 0s = never',
  },
  x509PopCa: {
    parse: parsePath,
    optional: true,
    placeholder: 'FILE',
    doc: 'authorities (PEM) whose certificates are taken as evidence of who a new sidecar is; read anew each time',
  },
  kubernetesApi: {
    parse: parseApi,
    optional: true,
    placeholder: 'URL',
    doc: 'Kubernetes API server that judges projected service account tokens (TokenReview), https',
  },
  kubernetesCa: {
    parse: parsePath,
    optional: true,
    placeholder: 'FILE',
    doc: "authorities (PEM) of the Kubernetes API server; default the system's",
  },
  kubernetesTokenFile: {
    parse: parsePath,
    optional: true,
    placeholder: 'FILE',
    doc: "the control plane's own token for the Kubernetes API, read anew each time",
  },
  kubernetesAudience: {
    parse: parseAudience,
    default: 'picket',
    placeholder: 'NAME',
    doc: 'audience that service account tokens must be made for',
  },
  kubernetesCluster: {
    parse: parseCluster,
    optional: true,
    placeholder: 'NAME',
    doc: 'name of the cluster in facts (k8s:cluster:NAME)',
  },
} as const satisfies SettingsTable

function parsePath(text: string): string {
  if (text === '' || text.includes('\0')) throw new TypeError('the path is empty or holds a NUL')
  return text
}

function parseWindow(text: string): number {
  const windowMs = parseDuration(text)
  if (windowMs > LONGEST_WINDOW_MS) throw new TypeError(`"${text}" is over 720h`)
  return windowMs
}

function parseApi(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (
    url?.protocol !== 'https:' ||
    url.username !== '' ||
    url.password !== '' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    throw new TypeError(
      `"${text}" is not an https URL without user, query and fragment, such as https://kubernetes.default.svc`,
    )
  }
  return url
}

function parseAudience(text: string): string {
  if (!/^[\x21-\x7e]{1,255}$/.test(text)) throw new TypeError('the audience is one word of at most 255 characters')
  return text
}

function parseCluster(text: string): string {
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(text)) {
    throw new TypeError(`"${text}" is not a name of letters, digits and inner dots, dashes and underscores`)
  }
  return text
}

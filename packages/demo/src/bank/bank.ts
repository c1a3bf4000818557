import type { MeshClient, MeshResponse } from '../mesh/client.ts'

/**
 * The bank: five services with a few routes each, enough to have a chain of calls worth authorising. Amounts are minor
 * units (pence), so that no fraction is ever lost. A route gets the request and the service's way into the mesh, and
 * knows nothing of certificates or policies: that is the sidecar's work.
 */
export interface BankRequest {
  readonly params: readonly string[]
  readonly body: unknown
  readonly mesh: MeshClient
}

export interface BankResponse {
  readonly status: number
  readonly body: unknown
}

export interface BankRoute {
  readonly method: string
  readonly path: RegExp
  readonly answer: (request: BankRequest) => BankResponse | Promise<BankResponse>
}

interface Payment {
  readonly from: string
  readonly to: string
  readonly amountMinor: number
}

const accounts = new Map([
  ['alice', { id: 'alice', name: 'Alice', balanceMinor: 120_000 }],
  ['bob', { id: 'bob', name: 'Bob', balanceMinor: 4_500 }],
])
const entries: unknown[] = []

const ok = (body: unknown): BankResponse => ({ status: 200, body })
const created = (body: unknown): BankResponse => ({ status: 201, body })
const failed = (what: string, { status, body }: MeshResponse): BankResponse => ({
  status: status === 0 ? 502 : status,
  body: { error: `${what} answered ${status}`, cause: parseJson(body) },
})

async function pay({ body, mesh }: BankRequest): Promise<BankResponse> {
  const payment = toPayment(body)
  if (!payment) return { status: 422, body: { error: 'a payment needs from, to and a whole amountMinor above 0' } }
  const payer = await mesh.get('accounts', `/accounts/${payment.from}`)
  if (payer.status !== 200) return failed('accounts', payer)
  const check = await mesh.post('fraud', '/checks', payment)
  if (check.status !== 200) return failed('fraud', check)
  const entry = await mesh.post('ledger', '/entries', payment)
  return entry.status === 201 ? created({ accepted: true, ...payment }) : failed('ledger', entry)
}

const relay =
  (callee: string, path: (request: BankRequest) => string) =>
  async (request: BankRequest): Promise<BankResponse> => {
    const response =
      request.body === undefined
        ? await request.mesh.get(callee, path(request))
        : await request.mesh.post(callee, path(request), request.body)
    return response.status < 300
      ? { status: response.status, body: parseJson(response.body) }
      : failed(callee, response)
  }

export const bank = {
  gateway: [
    {
      method: 'GET',
      path: /^\/accounts\/([\w-]+)$/,
      answer: relay('accounts', ({ params }) => `/accounts/${params[0]}`),
    },
    { method: 'POST', path: /^\/payments$/, answer: relay('payments', () => '/payments') },
  ],
  accounts: [
    {
      method: 'GET',
      path: /^\/accounts\/([\w-]+)$/,
      answer: ({ params }) => {
        const account = accounts.get(params[0] ?? '')
        return account ? ok(account) : { status: 404, body: { error: 'no such account' } }
      },
    },
  ],
  payments: [{ method: 'POST', path: /^\/payments$/, answer: pay }],
  fraud: [
    {
      method: 'POST',
      path: /^\/checks$/,
      answer: ({ body }) => ok({ verdict: (toPayment(body)?.amountMinor ?? 0) > 1_000_000 ? 'review' : 'clear' }),
    },
  ],
  ledger: [
    { method: 'POST', path: /^\/entries$/, answer: ({ body }) => created({ sequence: entries.push(body) }) },
    { method: 'GET', path: /^\/entries$/, answer: () => ok(entries.slice(-20)) },
  ],
} as const satisfies Record<string, readonly BankRoute[]>

export type BankService = keyof typeof bank

export const bankServices = Object.keys(bank) as BankService[]

function toPayment(body: unknown): Payment | undefined {
  const { from, to, amountMinor } = (body ?? {}) as Partial<Payment>
  const whole = Number.isSafeInteger(amountMinor) && Number(amountMinor) > 0
  const named = typeof from === 'string' && /^[\w-]{1,64}$/.test(from) && typeof to === 'string'
  return whole && named ? { from, to, amountMinor: Number(amountMinor) } : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

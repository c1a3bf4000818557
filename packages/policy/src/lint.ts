import type { SourceLocation } from './error.ts'

/**
 * A builtin that fails on a bad value is undefined in Rego, compiled or not, and `not` makes true of undefined: with
 * `allow if not net.cidr_contains("10.0.0.0/8", input.addr)` a malformed address gets in. The engine cannot see that
 * (builtins fail inside Wasm), so such policies are not built; a value computed on a line of its own ends the rule instead.
 */
const FALLIBLE = new Set([
  'base64.decode',
  'base64url.decode',
  'bits.lsh',
  'bits.rsh',
  'div',
  'json.unmarshal',
  'net.cidr_contains',
  'net.cidr_intersects',
  'net.cidr_overlap',
  'rem',
  'to_number',
  'yaml.unmarshal',
])

interface AstNode {
  readonly [key: string]: unknown
  readonly negated?: boolean
  readonly location?: { readonly row: number; readonly col: number }
}

/** Faults in one file's syntax tree, as `opa parse --format json --json-include locations` prints it. */
export function lintSyntax(file: string, tree: unknown): SourceLocation[] {
  const found: SourceLocation[] = []
  visit(tree, (node) => {
    if (node.negated !== true) return
    visit(node['terms'], (_, call) => {
      if (!call || !FALLIBLE.has(call)) return
      found.push({
        file,
        line: node.location?.row ?? 0,
        column: node.location?.col ?? 0,
        message: `"not" with ${call}, which is undefined on a bad value: compute it on a line of its own first`,
      })
    })
  })
  return found
}

function visit(value: unknown, act: (node: AstNode, call: string | undefined) => void): void {
  if (Array.isArray(value)) {
    act({}, calledName(value[0]))
    for (const item of value) visit(item, act)
  } else if (typeof value === 'object' && value !== null) {
    act(value as AstNode, undefined)
    for (const item of Object.values(value)) visit(item, act)
  }
}

/** `net.cidr_contains` for the reference that a call starts with. */
function calledName(term: unknown): string | undefined {
  const { type, value } = (term ?? {}) as { type?: unknown; value?: unknown }
  if (type !== 'ref' || !Array.isArray(value)) return undefined
  return value.map((part) => String((part as { value?: unknown }).value)).join('.')
}

import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { codeOf, type RawSetting } from '@picket/runtime'
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml'
import { CliError } from './error.ts'

const MAX_BYTES = 1_048_576

/**
 * A configuration file as raw settings, each with the line it stands on. YAML, and with it JSON: one mapping of keys to
 * values or lists of values. What a key means is not known here: the settings table judges names and values.
 */
export async function loadSettingsFile(path: string): Promise<RawSetting[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    const why = codeOf(cause) === 'ENOENT' ? 'there is no such file' : `it cannot be read (${codeOf(cause) ?? 'error'})`
    throw new CliError('ERR_CONFIG_FILE', `--config ${path}: ${why}`, { cause })
  }
  return parseSettingsFile(text, basename(path))
}

/** Throws `ERR_CONFIG_FILE` with every problem of form, one a line, each as `NAME:LINE: …`. */
export function parseSettingsFile(text: string, name: string): RawSetting[] {
  if (text.length > MAX_BYTES) throw new CliError('ERR_CONFIG_FILE', `${name}: larger than ${MAX_BYTES} characters`)
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2' })
  const placeAt = (offset: number | undefined): string => `${name}:${lines.linePos(offset ?? 0).line || 1}`
  const problems = document.errors.map((error) => `${placeAt(error.pos[0])}: ${lowerFirst(error.message)}`)
  const root = isScalar(document.contents) && document.contents.value === null ? null : document.contents
  if (problems.length === 0 && root !== null && !isMap(root)) {
    problems.push(`${placeAt(root.range?.[0])}: expected settings, one "key: value" a line`)
  }
  if (problems.length > 0) throw new CliError('ERR_CONFIG_FILE', problems.join('\n'))

  const settings: RawSetting[] = []
  for (const { key, value } of isMap(root) ? root.items : []) {
    const keyNode = key as Node
    const place = placeAt(keyNode.range?.[0])
    const keyText = isScalar(keyNode) ? String(keyNode.value) : undefined
    const nodes = isSeq(value) ? (value.items as (Node | null)[]) : [value as Node | null]
    if (keyText === undefined) problems.push(`${place}: expected a name before the colon`)
    for (const node of nodes) {
      const itemPlace = node?.range && isSeq(value) ? placeAt(node.range[0]) : place
      const given = textOf(node)
      if (given === undefined) problems.push(`${itemPlace}: ${keyText ?? 'this'}: ${complaintAbout(node)}`)
      else if (keyText !== undefined) settings.push({ key: keyText, text: given, place: itemPlace })
    }
  }
  if (problems.length > 0) throw new CliError('ERR_CONFIG_FILE', problems.join('\n'))
  return settings
}

/** The value as it was written (`0o17`, `1e3` and `007` stay themselves); undefined when it is not one plain value. */
function textOf(node: Node | null): string | undefined {
  if (!isScalar(node) || node.value === null) return undefined
  return typeof node.value === 'string' ? node.value : (node.source ?? '')
}

function complaintAbout(node: Node | null): string {
  if (isAlias(node)) return 'aliases are not read here: write the value'
  if (isMap(node) || isSeq(node)) return 'expected a value or a list of values'
  return 'has no value'
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

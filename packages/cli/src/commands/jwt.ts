import { verifyJwtSvid, type BundleSource, type TrustDomain } from '@picket/identity'
import { codeOf } from '@picket/runtime'
import type { Command } from 'commander'
import { loadBundleFile } from '../bundle-file.ts'
import type { CliContext } from '../context.ts'
import { CliError } from '../error.ts'
import { readAtMost, readFileAtMost } from '../input-file.ts'
import { examples, outputOf } from '../program.ts'
import { accepted, addVerifyFlags, printVerdicts, refused, type Verdict, type VerifyFlags } from '../verdict.ts'

/** More than any JWT-SVID, so that it is the verifier who says that one is too long. */
const MAX_TOKEN_BYTES = 64 * 1024

export function configureJwt(command: Command, context: CliContext): void {
  configureVerify(command.command('verify'), context)
}

interface JwtFlags extends VerifyFlags<TrustDomain> {
  readonly audience: string
  readonly allowMissingKeyId: boolean
}

function configureVerify(command: Command, context: CliContext): void {
  addVerifyFlags(command)
    .description('verify JWT-SVIDs as the mesh does; ends with 0 only when all are accepted')
    .argument('<TOKEN...>', 'a file with a token, "-" for standard input, or the token itself')
    .requiredOption('--audience <NAME>', 'whom the tokens must be for, character by character')
    .option('--allow-missing-key-id', 'take a token that does not name its key, if exactly one key would do', false)
    .action(async (args: readonly string[], flags: JwtFlags, self: Command) => {
      if (flags.audience === '') throw new CliError('ERR_USAGE', 'the audience is empty')
      if (args.filter((arg) => arg === '-').length > 1) throw new CliError('ERR_USAGE', 'standard input is there once')
      const { source, bundles, warnings } = await loadBundleFile(flags.bundle, flags.trustDomain)
      const output = outputOf(self, context)
      for (const warning of warnings) output.warn(warning)
      const hasKeys = bundles.some(({ jwtAuthorities }) => jwtAuthorities.length > 0)
      if (!hasKeys) output.warn(`${flags.bundle} holds no JWT authority: tokens need a SPIFFE bundle, PEM has none`)
      const now = flags.at ?? new Date(context.clock.now())
      const verdicts: Verdict[] = []
      for (const [at, arg] of args.entries()) {
        verdicts.push(verifyToken(await readTokenArgument(arg, `token ${at + 1}`, context), source, now, flags))
      }
      printVerdicts('JwtVerdictList', verdicts, self, context)
    })
  examples(
    command,
    'picket jwt verify token.jwt --bundle trust-bundle.json --audience ledger',
    'picket jwt verify - --bundle bundles.json --audience ledger --trust-domain bank.test -o json < token.jwt',
  )
}

interface TokenArgument {
  readonly subject: string
  readonly token: string | undefined
  readonly code?: string
}

/**
 * Files first: only the name of a file that is there is ever shown. Everything else may be a token with a slip of the
 * pen in it, and then it is as secret as a good one.
 */
async function readTokenArgument(arg: string, position: string, { stdin }: CliContext): Promise<TokenArgument> {
  try {
    const bytes = arg === '-' ? readAtMost(stdin, MAX_TOKEN_BYTES, arg) : readFileAtMost(arg, MAX_TOKEN_BYTES)
    return { subject: arg, token: toText(await bytes) }
  } catch (thrown) {
    const code = codeOf(thrown) ?? 'unreadable'
    if (code === 'ERR_INPUT') return { subject: arg, token: 'x'.repeat(MAX_TOKEN_BYTES) }
    if (code === 'EACCES' || code === 'EISDIR') return { subject: arg, token: undefined, code }
    return looksLikeToken(arg) ? { subject: position, token: arg } : { subject: position, token: undefined, code }
  }
}

/** Rather than like the name of a file with a slip of the pen in it. */
function looksLikeToken(arg: string): boolean {
  return !arg.includes('/') && arg.includes('.') && (arg.length > 64 || arg.split('.').length > 2)
}

/** As tokens come from files: with a line break at the end. */
function toText(bytes: Buffer): string {
  return bytes.toString('latin1').trim()
}

function verifyToken(
  { subject, token, code }: TokenArgument,
  bundles: BundleSource,
  now: Date,
  flags: JwtFlags,
): Verdict {
  if (token === undefined) {
    const message = code === 'ENOENT' ? 'it is neither a token nor a file' : 'it cannot be read'
    return refused(subject, { code: code ?? 'unreadable', rule: null, message })
  }
  const { audience, allowMissingKeyId } = flags
  const verdict = verifyJwtSvid(token, bundles, audience, now, { allowMissingKeyId })
  return verdict.kind === 'refused' ? refused(subject, verdict) : accepted(subject, verdict.id.uri, verdict.expiresAt)
}

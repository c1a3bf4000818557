import { parseCertificatesPem, verifyX509Svid, type BundleSource, type TrustDomain } from '@picket/identity'
import { codeOf } from '@picket/runtime'
import type { Command } from 'commander'
import { loadBundleFile } from '../bundle-file.ts'
import type { CliContext } from '../context.ts'
import { describeFailure } from '../failure.ts'
import { readFileAtMost } from '../input-file.ts'
import { examples, outputOf } from '../program.ts'
import { accepted, addVerifyFlags, printVerdicts, refused, type Verdict, type VerifyFlags } from '../verdict.ts'

const MAX_CHAIN_BYTES = 1024 * 1024

export function configureSvid(command: Command, context: CliContext): void {
  configureVerify(command.command('verify'), context)
}

interface SvidFlags extends VerifyFlags<TrustDomain> {
  readonly strict: boolean
}

function configureVerify(command: Command, context: CliContext): void {
  addVerifyFlags(command)
    .description('verify certificate chains as the mesh does; ends with 0 only when all are accepted')
    .argument('<CHAIN...>', 'PEM files, each with one chain, leaf first')
    .option('--strict', 'also refuse what an authority must not issue, such as a missing key usage', false)
    .action(async (files: readonly string[], flags: SvidFlags, self: Command) => {
      const { source, warnings } = await loadBundleFile(flags.bundle, flags.trustDomain)
      for (const warning of warnings) outputOf(self, context).warn(warning)
      const now = flags.at ?? new Date(context.clock.now())
      const verdicts: Verdict[] = []
      for (const file of files) verdicts.push(await verifyFile(file, source, now, flags.strict))
      printVerdicts('SvidVerdictList', verdicts, self, context)
    })
  examples(
    command,
    'picket svid verify svid.pem --bundle picket-data/trust-bundle.pem',
    'picket svid verify *.pem --bundle bundles.json --trust-domain bank.test --at 2026-11-26T02:15:00Z --strict',
  )
}

async function verifyFile(file: string, bundles: BundleSource, now: Date, strict: boolean): Promise<Verdict> {
  try {
    const chain = parseCertificatesPem((await readFileAtMost(file, MAX_CHAIN_BYTES)).toString())
    const verdict = verifyX509Svid(chain, bundles, now, { strict })
    return verdict.kind === 'refused' ? refused(file, verdict) : accepted(file, verdict.id.uri, verdict.notAfter)
  } catch (thrown) {
    return refused(file, {
      code: codeOf(thrown) ?? 'unreadable',
      rule: ruleOf(thrown),
      message: reasonOf(thrown, file),
    })
  }
}

/** A file that cannot be read breaks no rule; one that holds no certificate does. */
function ruleOf(thrown: unknown): string | null {
  return codeOf(thrown)?.startsWith('ERR_') && codeOf(thrown) !== 'ERR_INPUT' ? 'RFC 5280 4.1 (rule 26)' : null
}

function reasonOf(thrown: unknown, file: string): string {
  return describeFailure(thrown, false).split('\n', 1)[0]!.replace('picket: ', '').replace(`${file}: `, '')
}

import type { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { createRootCommand } from '../program.ts'

/** Gives a command its arguments, flags, examples and action. `loadTree` is for those that speak about all commands. */
export type ConfigureCommand = (command: Command, context: CliContext, loadTree: () => Promise<Command>) => void

interface CommandEntry {
  readonly summary: string
  readonly hidden?: true
  /** Loaded when the command is the one that was called: `picket --help` must not load a gRPC stack. */
  readonly load: () => Promise<ConfigureCommand>
}

/** The nouns in the order of a first day with Picket. */
export const COMMANDS = {
  demo: {
    summary: 'watch a small bank run in the mesh: calls allowed, denied and recorded',
    load: async () => (await import('./demo.ts')).configureDemo,
  },
  ca: {
    summary: 'create, show and rotate the authorities of a trust domain',
    load: async () => (await import('./ca.ts')).configureCa,
  },
  'control-plane': {
    summary: 'run the control plane',
    load: async () => (await import('./control-plane.ts')).configureControlPlane,
  },
  sidecar: {
    summary: 'run a sidecar beside a service',
    load: async () => (await import('./sidecar.ts')).configureSidecar,
  },
  run: {
    summary: 'run an app with a sidecar around it',
    load: async () => (await import('./run.ts')).configureRun,
  },
  token: {
    summary: 'create join tokens for new sidecars',
    load: async () => (await import('./token.ts')).configureToken,
  },
  entry: {
    summary: 'manage registration entries: who gets which SPIFFE ID',
    load: async () => (await import('./entry.ts')).configureEntry,
  },
  apply: {
    summary: 'make the registration entries those of a file, or show what differs',
    load: async () => (await import('./apply.ts')).configureApply,
  },
  explain: {
    summary: 'say why somebody gets no identity',
    load: async () => (await import('./explain.ts')).configureExplain,
  },
  policy: {
    summary: 'test, build, push and list policies',
    load: async () => (await import('./policy.ts')).configurePolicy,
  },
  cert: {
    summary: 'inspect certificates and have them renewed',
    load: async () => (await import('./cert.ts')).configureCert,
  },
  revoke: {
    summary: 'refuse a SPIFFE ID, a certificate or an authority key from now on, everywhere',
    load: async () => (await import('./revoke.ts')).configureRevoke,
  },
  unrevoke: {
    summary: 'take something off the deny-list',
    load: async () => (await import('./revoke.ts')).configureUnrevoke,
  },
  svid: {
    summary: 'verify X.509-SVIDs against a trust bundle, by the rules of SPIFFE',
    load: async () => (await import('./svid.ts')).configureSvid,
  },
  jwt: {
    summary: 'verify JWT-SVIDs against a trust bundle, by the rules of SPIFFE',
    load: async () => (await import('./jwt.ts')).configureJwt,
  },
  bundle: {
    summary: 'show trust bundles and convert them between their forms',
    load: async () => (await import('./bundle.ts')).configureBundle,
  },
  federation: {
    summary: 'fetch the bundles of other trust domains, so that their workloads are recognised',
    load: async () => (await import('./federation.ts')).configureFederation,
  },
  status: {
    summary: 'show the mesh: sidecars, identities, policy revisions',
    load: async () => (await import('./status.ts')).configureStatus,
  },
  dev: {
    summary: 'throw-away certificates for trying things out',
    load: async () => (await import('./dev.ts')).configureDev,
  },
  toolchain: {
    summary: 'install and show the policy compiler (OPA)',
    load: async () => (await import('./toolchain.ts')).configureToolchain,
  },
  ports: {
    summary: 'list the ports that Picket uses unless told otherwise',
    load: async () => (await import('./ports.ts')).configurePorts,
  },
  completion: {
    summary: 'print a completion script for a shell',
    load: async () => (await import('./completion.ts')).configureCompletion,
  },
  docs: {
    summary: 'print documentation that is generated from the code',
    hidden: true,
    load: async () => (await import('./docs.ts')).configureDocs,
  },
} as const satisfies Record<string, CommandEntry>

/**
 * The command tree for one command line: every noun is there, the one that `args` names is complete. Without `args`
 * the whole tree is.
 */
export async function createProgram(context: CliContext, args?: readonly string[]): Promise<Command> {
  const program = createRootCommand(context)
  const called = args?.find((arg) => Object.hasOwn(COMMANDS, arg))
  for (const [name, entry] of Object.entries<CommandEntry>(COMMANDS)) {
    const command = program.command(name, { hidden: entry.hidden ?? false }).description(entry.summary)
    if (args === undefined || name === called) (await entry.load())(command, context, () => createProgram(context))
  }
  return program.addHelpText(
    'after',
    '\nExample:\n  $ picket demo --once\n\nEach command has its own: picket COMMAND --help',
  )
}

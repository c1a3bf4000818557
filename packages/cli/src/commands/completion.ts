import { Argument, type Command } from 'commander'
import type { CliContext } from '../context.ts'
import { examples, outputOf } from '../program.ts'

const SHELLS = ['bash', 'zsh'] as const

export function configureCompletion(command: Command, context: CliContext, loadTree: () => Promise<Command>): void {
  command
    .addArgument(new Argument('<SHELL>', 'whose').choices(SHELLS))
    .action(async (shell: (typeof SHELLS)[number], _options, self: Command) => {
      const output = outputOf(self, context)
      const script = completionScript(await loadTree())
      output.text(shell === 'zsh' ? `autoload -U +X bashcompinit && bashcompinit\n${script}` : script)
      output.note(`# For every new shell: echo 'source <(picket completion ${shell} -q)' >> ~/.${shell}rc`)
    })
  examples(
    command,
    'picket completion bash -q > ~/.local/share/bash-completion/completions/picket',
    'picket completion zsh',
  )
}

/** A bash function that walks the words to the command they name and offers its commands and flags; else file names. */
function completionScript(root: Command): string {
  const commands = [...pathsOf(root, 'picket')]
  const globals = flagsOf(root)
  const known = commands.map(([path]) => `'${path}'`).join(' | ')
  const offers = commands.map(([path, command]) => {
    const names = command.commands.map((child) => child.name())
    return `    '${path}') words='${[...names, ...flagsOf(command), ...globals].join(' ')}' ;;`
  })
  return `_picket() {
  local path=picket word words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
    ${known}) path="$path $word" ;;
    esac
  done
  case "$path" in
${offers.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _picket picket
`
}

function* pathsOf(command: Command, path: string): Generator<[string, Command]> {
  yield [path, command]
  for (const child of command.commands) yield* pathsOf(child, `${path} ${child.name()}`)
}

function flagsOf(command: Command): string[] {
  return command.options.flatMap(({ long }) => long ?? [])
}

#!/usr/bin/env node
// Picket runs on Node 24. `npm ci` brings one along on Linux; a host's own Node may be older. This file must itself run
// on any Node that is still about, so it is plain JavaScript without anything new.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const WANTED = 24
const main = new URL('../src/main.ts', import.meta.url)

if (Number(process.versions.node.split('.')[0]) >= WANTED) {
  await keepCompiledCode()
  const { main: run } = await import(main.href)
  await run()
} else {
  const ownNode = ['../../../node_modules/.bin/node', '../node_modules/.bin/node']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path))
  if (ownNode) runWith(ownNode)
  else {
    process.stderr.write(
      `picket: needs Node ${WANTED} or newer, this is ${process.versions.node}: ` +
        'run "npm ci" in the project (Linux x64 and arm64), or install Node 24\n',
    )
    process.exit(2)
  }
}

/**
 * Compiled sources are kept from one command to the next: a third of the start-up time. In the user's own cache folder and
 * not in the shared temporary one, where somebody else could have put code for us to run.
 */
async function keepCompiledCode() {
  const { enableCompileCache } = await import('node:module')
  const { homedir } = await import('node:os')
  const { join } = await import('node:path')
  enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'picket', 'compiled'))
}

/** The same command under the project's Node: signals go on to it, its end is ours. */
function runWith(node) {
  const child = spawn(node, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']) {
    process.on(name, () => {
      if (!(process.stdin.isTTY && (name === 'SIGINT' || name === 'SIGQUIT'))) child.kill(name)
    })
  }
  child.on('error', (error) => {
    process.stderr.write(`picket: ${node}: ${error.message}\n`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code))
}

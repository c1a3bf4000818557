import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { PROTO_FILES, PROTO_FOLDER } from './proto-files.ts'
import { REFLECTION_PROTO_FILES, WORKLOAD_PROTO_FILES } from './workload/proto-files.ts'

const ROOT = dirname(PROTO_FOLDER)

/**
 * Writes the TypeScript types of every message and service into `folder`, formatted as the rest. Run this file to
 * refresh `generated/` after a change in `proto/`; a test holds the two together.
 */
export function generateTypes(folder: string, files: readonly string[] = PROTO_FILES): void {
  const options = ['--longs=Number', '--enums=String', '--defaults', '--oneofs', '--grpcLib=@grpc/grpc-js']
  const extensions = ['--targetFileExtension=.ts', '--importFileExtension=.ts']
  const output = [`--outDir=${folder}`, '-I', relative(ROOT, PROTO_FOLDER), '--', ...files]
  runTool('@grpc/proto-loader', 'build/bin/proto-loader-gen-types.js', [...options, ...extensions, ...output])
  // One file per .proto repeats all its types for a typed package object that nobody here asks for.
  for (const file of files) rmSync(join(folder, file.replace(/^.*\//, '').replace(/\.proto$/, '.ts')), { force: true })
  runTool('prettier', 'bin/prettier.cjs', ['--config', '.prettierrc.json', '--write', '--log-level=warn', folder])
}

function runTool(owner: string, script: string, args: readonly string[]): void {
  const folder = dirname(createRequire(import.meta.url).resolve(`${owner}/package.json`))
  execFileSync(process.execPath, [join(folder, script), ...args], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] })
}

if (import.meta.main) {
  generateTypes(join(import.meta.dirname, 'generated'))
  generateTypes(join(import.meta.dirname, 'workload/generated'), [...WORKLOAD_PROTO_FILES, ...REFLECTION_PROTO_FILES])
}

// Runs before every script that needs the project's Node. Linux gets it from node_modules; elsewhere we say what to install.
const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  console.error(
    `picket needs Node 24 or newer, this is ${process.versions.node} (${process.platform} ${process.arch}).\n` +
      'On Linux x64 and arm64, "npm ci" brings it along: run that first. Elsewhere, install Node 24.',
  )
  process.exit(2)
}

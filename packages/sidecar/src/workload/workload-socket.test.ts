import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmod, chown, link, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { listenOnWorkloadSocket } from './workload-socket.ts'

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'picket-socket-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function open(t: TestContext, path: string, group?: string) {
  const server = await listenOnWorkloadSocket(
    { path, group },
    (socket) => void socket.on('error', () => {}).end('hello'),
  )
  t.after(() => void server.close())
  return server
}

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8)

async function greeting(path: string): Promise<string> {
  const socket = connect(path).setEncoding('utf8')
  const [text] = (await once(socket, 'data')) as [string]
  return text
}

/** What a killed process leaves: a socket that nobody serves. */
async function leaveStale(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const server = createServer().listen(`${path}.live`)
  await once(server, 'listening')
  await link(`${path}.live`, path)
  await new Promise((resolve) => server.close(resolve))
}

test('the socket is 0600 in a new folder of 0700, whatever the umask, and is gone after the end', async (t) => {
  const path = join(await folderFor(t), 'new', 'api.sock')
  const before = process.umask(0)
  t.after(() => process.umask(before))
  const server = await open(t, path)
  assert.equal(process.umask(), 0)
  assert.deepEqual([await modeOf(path), await modeOf(dirname(path))], ['600', '700'])
  assert.equal(await greeting(path), 'hello')
  await new Promise((resolve) => server.close(resolve))
  await assert.rejects(stat(path), { code: 'ENOENT' })
})

test('with a group the socket is 0660 in 0750, of that group', async (t) => {
  const path = join(await folderFor(t), 'new', 'api.sock')
  const group = process.getgid!()
  await open(t, path, String(group))
  assert.deepEqual([await modeOf(path), await modeOf(dirname(path))], ['660', '750'])
  assert.deepEqual([(await stat(path)).gid, (await stat(dirname(path))).gid], [group, group])
  await assert.rejects(open(t, `${path}2`, 'no-such-group'), {
    code: 'ERR_LISTEN',
    message: /no group "no-such-group"/,
  })
})

test('the socket of a dead process is replaced', async (t) => {
  const path = join(await folderFor(t), 'api.sock')
  await leaveStale(path)
  assert.ok((await stat(path)).isSocket())
  await open(t, path)
  assert.equal(await greeting(path), 'hello')
})

test('a socket that is served is left alone', async (t) => {
  const path = join(await folderFor(t), 'api.sock')
  await open(t, path)
  await assert.rejects(open(t, path), { code: 'ERR_PORT_IN_USE', message: /api\.sock is in use by another process/ })
  assert.equal(await greeting(path), 'hello')
})

test('what is not a socket is left alone', async (t) => {
  const folder = await folderFor(t)
  await writeFile(join(folder, 'file'), 'keep')
  await symlink(join(folder, 'file'), join(folder, 'link'))
  await mkdir(join(folder, 'folder'))
  for (const name of ['file', 'link', 'folder']) {
    await assert.rejects(open(t, join(folder, name)), { code: 'ERR_LISTEN', message: /is not a socket/ })
  }
})

test('a folder in which others may write is refused, unless they cannot replace what is not theirs', async (t) => {
  const folder = await folderFor(t)
  for (const mode of [0o777, 0o770, 0o702]) {
    await chmod(folder, mode)
    await assert.rejects(open(t, join(folder, 'api.sock')), { code: 'ERR_LISTEN', message: /others may write/ })
  }
  await chmod(folder, 0o1777)
  await open(t, join(folder, 'api.sock'))
})

const isRoot = process.getuid?.() === 0
test(
  'a folder of another user is refused',
  { skip: isRoot ? false : 'only root can give a folder away' },
  async (t) => {
    const folder = await folderFor(t)
    await chown(folder, 4242, 4242)
    await assert.rejects(open(t, join(folder, 'api.sock')), { code: 'ERR_LISTEN', message: /others may write .*chown/ })
  },
)

test('a folder that cannot be made says so', async (t) => {
  const folder = await folderFor(t)
  await writeFile(join(folder, 'file'), '')
  await assert.rejects(open(t, join(folder, 'file', 'deep', 'api.sock')), {
    code: 'ERR_LISTEN',
    message: /^workloadApi: /,
  })
})

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execFileSync, spawn } from 'node:child_process'
import { suite, test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { createProcessFacts, parseDescriptorPid, parseStartTime, startTimeOf } from './peer-credentials-process.ts'
import { findSocket, findTcpPeers, toTableAddress } from './peer-credentials-tcp.ts'
import { openPeerCredentials } from './peer-credentials.ts'

const skip = process.platform === 'linux' ? false : 'the kernel interfaces are those of Linux'
const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'picket-peer-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** The server's end of one connection; everything is closed after the test. */
async function accept(t: TestContext, server: Server, dial: (server: Server) => void): Promise<Socket> {
  const accepted = once(server, 'connection') as Promise<[Socket]>
  dial(server)
  const [socket] = await accepted
  socket.on('error', () => {})
  t.after(() => {
    socket.destroy()
    server.close()
  })
  return socket
}

suite('peer credentials of a Unix socket', { skip }, () => {
  test('the kernel says who connected, and its descriptor names the same process', async (t) => {
    const path = join(await folderFor(t), 's')
    const server = createServer().listen(path)
    await once(server, 'listening')
    const client = connect(path)
    t.after(() => void client.destroy())
    const socket = await accept(t, server, () => {})
    const read = await openPeerCredentials()
    const peer = read(socket)!
    assert.deepEqual([peer.pid, peer.uid, peer.gid], [process.pid, own.uid, own.gid])
    const facts = await createProcessFacts().read(peer)
    const program = createHash('sha256').update(readFileSync(process.execPath)).digest('hex')
    assert.deepEqual(
      facts,
      new Set([
        `unix:uid:${own.uid}`,
        `unix:gid:${own.gid}`,
        `unix:path:${process.execPath}`,
        `unix:sha256:${program}`,
      ]),
    )
    if (peer.pidfd !== undefined) closeSync(peer.pidfd)
  })

  test('a peer that has ended is nobody, also when its number lives on', async (t) => {
    const path = join(await folderFor(t), 's')
    const server = createServer().listen(path)
    await once(server, 'listening')
    const code = `const s = require('net').connect(${JSON.stringify(path)}); s.on('close', () => process.exit())`
    const child = spawn(process.execPath, ['-e', code])
    const socket = await accept(t, server, () => {})
    const peer = (await openPeerCredentials())(socket)!
    assert.equal(peer.pid, child.pid)
    assert.ok(await createProcessFacts().read(peer))
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.equal(await createProcessFacts().read(peer), undefined)
    if (peer.pidfd === undefined) return
    const reused = { ...peer, pid: process.pid }
    assert.equal(await createProcessFacts().read(reused), undefined, 'the descriptor is of another process')
    closeSync(peer.pidfd)
  })

  test('without the optional package the way out is told', async () => {
    const absent = () => Promise.reject(new Error("Cannot find package 'koffi'\nRequire stack"))
    await assert.rejects(openPeerCredentials(absent), {
      code: 'ERR_PEER_CREDENTIALS',
      message: /koffi does not load \(Cannot find package 'koffi'\); install it with "npm install koffi@[\d.]+"/,
    })
  })

  test('a socket that is closed is nobody', async (t) => {
    const path = join(await folderFor(t), 's')
    const server = createServer().listen(path)
    await once(server, 'listening')
    const client = connect(path)
    t.after(() => void client.destroy())
    const socket = await accept(t, server, () => {})
    socket.destroy()
    await once(socket, 'close')
    assert.equal((await openPeerCredentials())(socket), undefined)
  })
})

suite('the facts of a process', () => {
  const STAT = (start: number, name = 'app'): string => `7 (${name}) S ${'1 '.repeat(18)}${start} 0 0\n`
  async function fakeProc(t: TestContext, start = 100): Promise<{ proc: string; program: string }> {
    const proc = await folderFor(t)
    await mkdir(join(proc, '7'))
    const program = join(proc, 'program')
    await writeFile(program, 'code')
    await symlink(program, join(proc, '7', 'exe'))
    await writeFile(join(proc, '7', 'stat'), STAT(start))
    return { proc, program }
  }
  const peer = { pid: 7, uid: 1, gid: 2, pidfd: undefined }

  test('user, group, path and digest', async (t) => {
    const { proc, program } = await fakeProc(t)
    const sha256 = createHash('sha256').update('code').digest('hex')
    const facts = await createProcessFacts(proc).read(peer)
    assert.deepEqual(facts, new Set(['unix:uid:1', 'unix:gid:2', `unix:path:${program}`, `unix:sha256:${sha256}`]))
  })

  test('a program that changes has another digest', async (t) => {
    const { proc, program } = await fakeProc(t)
    const facts = createProcessFacts(proc)
    const before = await facts.read(peer)
    await writeFile(program, 'other code')
    assert.equal((await facts.read(peer))?.difference(before!).size, 1)
  })

  test('a number that was given to another process in between counts for nobody', async (t) => {
    const { proc, program } = await fakeProc(t)
    await rm(program)
    execFileSync('mkfifo', [program]) // its reader waits for a writer: the moment in which the process is replaced
    const reading = createProcessFacts(proc).read(peer)
    const writer = await open(program, 'w')
    await writeFile(join(proc, '7', 'stat'), STAT(101))
    await writer.close()
    assert.equal(await reading, undefined)
  })

  test('a process that is gone, and one whose program has been replaced', async (t) => {
    const { proc, program } = await fakeProc(t)
    assert.equal(await createProcessFacts(proc).read({ ...peer, pid: 8 }), undefined)
    await rm(join(proc, '7', 'exe'))
    await copyFile(program, `${program} (deleted)`)
    await symlink(`${program} (deleted)`, join(proc, '7', 'exe'))
    const facts = await createProcessFacts(proc).read(peer)
    assert.ok(![...facts!].some((fact) => fact.startsWith('unix:path:')))
  })

  test('the start time is read behind any name', () => {
    for (const name of ['app', 'a b', '(', ') S 1 2', ') R 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 666 (']) {
      assert.equal(parseStartTime(STAT(42, name)), '42')
    }
    fc.assert(fc.property(fc.string({ maxLength: 15 }), (name) => assert.equal(parseStartTime(STAT(42, name)), '42')))
    for (const text of ['', '7 (a', '7 (a) S 1 2', `7 (a) S ${'1 '.repeat(18)}x`])
      assert.equal(parseStartTime(text), undefined)
    fc.assert(fc.property(fc.string(), (text) => void parseStartTime(text)))
  })

  test('the process of a descriptor', () => {
    assert.equal(parseDescriptorPid('pos:\t0\nflags:\t02\nPid:\t42\nNSpid:\t42\n'), 42)
    for (const text of ['', 'Pid:\t-1\n', 'NSpid:\t42\n', 'Pid:\tx\n', 'Pid:\t99999999999\n'])
      assert.equal(parseDescriptorPid(text), -1)
  })
})

suite('the peer of a loopback TCP connection', { skip }, () => {
  for (const [host, dial] of [
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['127.0.0.1', '::ffff:127.0.0.1'],
  ] as const) {
    test(`${dial} to ${host} is resolved to its process`, async (t) => {
      const server = createServer().listen(0, host)
      await once(server, 'listening').catch(() => t.skip('no such address here'))
      const client = connect((server.address() as AddressInfo).port, dial)
      t.after(() => void client.destroy())
      const socket = await accept(t, server, () => {})
      const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket
      const peers = await findTcpPeers({ remoteAddress, remotePort, localAddress, localPort })
      assert.deepEqual(peers, [{ pid: process.pid, ...own }])
    })
  }

  test('a connection that there is not is nobody’s', async () => {
    const ends = { remoteAddress: '127.0.0.1', remotePort: 1, localAddress: '127.0.0.1', localPort: 2 }
    assert.deepEqual(await findTcpPeers(ends), [])
  })

  test('addresses as the kernel writes them', () => {
    assert.equal(toTableAddress('127.0.0.1', 8080), '0100007F:1F90')
    assert.equal(toTableAddress('::1', 1), '00000000000000000000000001000000:0001')
    assert.equal(toTableAddress('::ffff:127.0.0.1', 1), '0000000000000000FFFF00000100007F:0001')
    assert.equal(toTableAddress('fe80::1:2', 443), '000080FE000000000000000002000100:01BB')
  })

  const ROW =
    '   0: 0100007F:0001 0100007F:0002 01 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0 20 4 30 10 -1'
  const ends = { remoteAddress: '127.0.0.1', remotePort: 1, localAddress: '127.0.0.1', localPort: 2 }

  test('a row counts when both ends fit and the connection is established', () => {
    assert.deepEqual(findSocket(`head\n${ROW}\n`, ends), { inode: '4242', uid: 1000 })
    const BAD = [
      ROW.replace(' 01 ', ' 06 '),
      ROW.replace('4242', '0'),
      ROW.replace('0002', '0003'),
      ROW.replace(' 1000 ', ' x '),
      ROW.slice(0, 60),
      '',
    ]
    for (const row of BAD) assert.equal(findSocket(row, ends), undefined, row)
    fc.assert(fc.property(fc.string(), (text) => void findSocket(text, ends)))
  })

  test('this process has begun once', async () => {
    const start = await startTimeOf('/proc', process.pid)
    assert.match(start ?? '', /^\d+$/)
    assert.equal(await startTimeOf('/proc', process.pid), start)
    assert.equal(await startTimeOf('/proc', 2 ** 30), undefined)
  })
})

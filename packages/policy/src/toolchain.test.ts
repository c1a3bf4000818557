import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { sha256 } from './archive.ts'
import { PolicyError, type PolicyErrorCode } from './error.ts'
import { installOpa, type InstallOptions } from './install.ts'
import { cachedOpaPath, findOpa, OPA_VERSION, requireOpa } from './toolchain.ts'

const programOf = (version: string): string => `#!/bin/sh\necho "Version: ${version}"\n`

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'picket-toolchain-'))
  try {
    await body(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A program that says it is OPA; gives its path. */
async function put(path: string, version = '1.2.3', mode = 0o755): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, programOf(version), { mode })
  return path
}

const refusedWith = (work: Promise<unknown>, code: PolicyErrorCode): Promise<void> =>
  assert.rejects(work, (thrown) => {
    assert(thrown instanceof PolicyError, String(thrown))
    assert.equal(thrown.code, code, thrown.message)
    return true
  })

describe('the OPA that is used', () => {
  test('is the one of the flag, of PICKET_OPA, of PATH, of the cache, in this order', async () => {
    await withFolder(async (folder) => {
      const cacheDir = join(folder, 'cache')
      const flag = await put(join(folder, 'flag'))
      const named = await put(join(folder, 'named'))
      const onPath = await put(join(folder, 'bin', 'opa'))
      const cached = await put(cachedOpaPath({ env: {}, cacheDir }), OPA_VERSION)
      const PATH = `/nowhere:${dirname(onPath)}`
      const pathOf = async (options: Parameters<typeof findOpa>[0]): Promise<string | undefined> =>
        (await findOpa(options))?.path
      assert.equal(await pathOf({ flag, env: { PICKET_OPA: named, PATH }, cacheDir }), flag)
      assert.equal(await pathOf({ env: { PICKET_OPA: named, PATH }, cacheDir }), named)
      assert.equal(await pathOf({ env: { PATH }, cacheDir }), onPath)
      assert.equal(await pathOf({ env: { PATH: '/nowhere' }, cacheDir }), cached)
      assert.deepEqual(await findOpa({ env: {}, cacheDir }), { path: cached, version: OPA_VERSION })
    })
  })

  test('is none at all on a machine without, and the error says what brings one', async () => {
    await withFolder(async (folder) => {
      assert.equal(await findOpa({ env: { PATH: folder, HOME: folder } }), undefined)
      await assert.rejects(requireOpa({ env: { PATH: '', HOME: folder } }), /picket toolchain install/)
    })
  })

  test('must work when it is named', async () => {
    await withFolder(async (folder) => {
      const env = { PATH: dirname(await put(join(folder, 'bin', 'opa'))) }
      const notExecutable = await put(join(folder, 'plain'), '1.2.3', 0o644)
      const old = await put(join(folder, 'old'), '0.70.0')
      const other = join(folder, 'other')
      await writeFile(other, '#!/bin/sh\necho hello\n', { mode: 0o755 })
      await refusedWith(findOpa({ flag: join(folder, 'none'), env }), 'ERR_OPA_MISSING')
      await refusedWith(findOpa({ env: { ...env, PICKET_OPA: notExecutable } }), 'ERR_OPA_MISSING')
      await refusedWith(findOpa({ flag: old, env }), 'ERR_OPA_VERSION')
      await refusedWith(findOpa({ flag: other, env }), 'ERR_OPA_FAILED')
    })
  })

  test('on PATH is passed over when it cannot be used', async () => {
    await withFolder(async (folder) => {
      const PATH = dirname(await put(join(folder, 'bin', 'opa'), '0.70.0'))
      const cached = await put(cachedOpaPath({ env: {}, cacheDir: folder }), OPA_VERSION)
      assert.equal((await findOpa({ env: { PATH }, cacheDir: folder }))?.path, cached)
    })
  })

  test('is not looked for in folders that depend on where one stands', async () => {
    await withFolder(async (folder) => {
      const here = process.cwd()
      await put(join(folder, 'bin', 'opa'))
      process.chdir(folder)
      try {
        assert.equal(await findOpa({ env: { PATH: ':.:bin:./bin', HOME: folder } }), undefined)
      } finally {
        process.chdir(here)
      }
    })
  })

  test('is cached where the system keeps caches', () => {
    const file = `picket/opa-${OPA_VERSION}/opa`
    assert.equal(cachedOpaPath({ env: { XDG_CACHE_HOME: '/x', HOME: '/h' } }), `/x/${file}`)
    assert.equal(cachedOpaPath({ env: { HOME: '/h' } }), `/h/.cache/${file}`)
  })
})

describe('installing a release', () => {
  const payload = programOf(OPA_VERSION)
  const ASSET = 'opa_linux_amd64_static'

  /** A mirror with `listener` behind it, and an empty cache folder. */
  async function withMirror(
    listener: RequestListener,
    body: (options: InstallOptions & { cacheDir: string }) => Promise<void>,
  ): Promise<void> {
    await withFolder(async (cacheDir) => {
      const server = createServer(listener)
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      try {
        const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mirror/`
        const checksums = { [ASSET]: sha256(payload) }
        await body({ env: {}, cacheDir, baseUrl, from: 'release', checksums, platform: { os: 'linux', arch: 'x64' } })
      } finally {
        server.closeAllConnections()
        server.close()
      }
    })
  }

  const serve =
    (text: string): RequestListener =>
    (request, response) => {
      const isKnown = request.url === `/mirror/v${OPA_VERSION}/${ASSET}`
      response.writeHead(isKnown ? 200 : 404).end(isKnown ? text : '')
    }

  const leavesNothing = async (options: { cacheDir: string }): Promise<void> => {
    const folder = dirname(cachedOpaPath({ env: {}, ...options }))
    assert.deepEqual(await readdir(folder), [])
  }

  test('puts it into the cache, executable, where it is found', async () => {
    await withMirror(serve(payload), async (options) => {
      const opa = await installOpa(options)
      assert.deepEqual(opa, { path: cachedOpaPath(options), version: OPA_VERSION })
      assert.equal((await stat(opa.path)).mode & 0o777, 0o755)
      assert.deepEqual(await findOpa(options), opa)
      assert.deepEqual(await readdir(dirname(opa.path)), ['opa'])
    })
  })

  test('takes base address and checksum from the environment', async () => {
    await withMirror(serve(payload), async ({ baseUrl, ...options }) => {
      const env = { PICKET_OPA_BASE_URL: baseUrl!, PICKET_OPA_SHA256: sha256(payload).toUpperCase() }
      assert.equal((await installOpa({ ...options, checksums: {}, env })).version, OPA_VERSION)
    })
  })

  test('does not download what is there', async () => {
    await withMirror(serve('never asked for'), async (options) => {
      await put(cachedOpaPath(options), OPA_VERSION)
      assert.equal((await installOpa(options)).version, OPA_VERSION)
    })
  })

  test('replaces a cached file that is another version', async () => {
    await withMirror(serve(payload), async (options) => {
      await put(cachedOpaPath(options), '1.0.0')
      assert.equal((await installOpa(options)).version, OPA_VERSION)
      assert.equal((await findOpa(options))?.version, OPA_VERSION)
    })
  })

  test('refuses bytes with another checksum, and leaves nothing of them', async () => {
    await withMirror(serve(`${payload}#`), async (options) => {
      await refusedWith(installOpa(options), 'ERR_OPA_CHECKSUM')
      await leavesNothing(options)
    })
  })

  test('refuses before asking when no checksum is known', async () => {
    let asked = 0
    const count: RequestListener = (_, response) => void (asked++, response.end(payload))
    await withMirror(count, async (options) => {
      await refusedWith(installOpa({ ...options, checksums: {} }), 'ERR_OPA_CHECKSUM')
      await refusedWith(installOpa({ ...options, sha256: 'abc' }), 'ERR_OPA_CHECKSUM')
      await leavesNothing(options)
    })
    assert.equal(asked, 0)
  })

  test('refuses an answer that is no success, one that breaks off, and a server that is not there', async () => {
    await withMirror(
      (_, response) => response.writeHead(500).end(payload),
      async (options) => {
        await refusedWith(installOpa(options), 'ERR_OPA_DOWNLOAD')
      },
    )
    const breakOff: RequestListener = (_, response) => {
      response.writeHead(200, { 'content-length': String(payload.length) })
      response.write(payload.slice(0, 5), () => response.destroy())
    }
    await withMirror(breakOff, async (options) => {
      await refusedWith(installOpa(options), 'ERR_OPA_DOWNLOAD')
      await leavesNothing(options)
      await refusedWith(installOpa({ ...options, baseUrl: 'http://127.0.0.1:1' }), 'ERR_OPA_DOWNLOAD')
    })
  })

  test('refuses what does not end', async () => {
    await withMirror(serve(payload), async (options) => {
      await refusedWith(installOpa({ ...options, maxBytes: payload.length - 1 }), 'ERR_OPA_DOWNLOAD')
      await leavesNothing(options)
      await installOpa({ ...options, maxBytes: payload.length })
    })
  })

  test('refuses the right bytes of a wrong version', async () => {
    const wrong = programOf('1.0.0')
    await withMirror(serve(wrong), async (options) => {
      await refusedWith(installOpa({ ...options, sha256: sha256(wrong) }), 'ERR_OPA_VERSION')
      await leavesNothing(options)
    })
  })

  test('refuses a platform that has no release', async () => {
    await withMirror(serve(payload), async (options) => {
      await refusedWith(installOpa({ ...options, platform: { os: 'plan9', arch: 'x64' } }), 'ERR_OPA_PLATFORM')
    })
  })
})

describe('installing with Go', () => {
  const fakeGo = async (folder: string, script: string): Promise<Record<string, string>> => {
    await writeFile(join(folder, 'go'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return { PATH: `${folder}:/usr/bin:/bin`, HOME: folder }
  }

  test('asks for the pinned version and takes what it builds', async () => {
    await withFolder(async (folder) => {
      const make = `[ "$*" = "install github.com/open-policy-agent/opa@v${OPA_VERSION}" ] || exit 9`
      const env = await fakeGo(
        folder,
        `${make}\nprintf '#!/bin/sh\\necho "Version: ${OPA_VERSION}"\\n' > "$GOBIN/opa"\nchmod +x "$GOBIN/opa"`,
      )
      assert.deepEqual(await installOpa({ env }), { path: cachedOpaPath({ env }), version: OPA_VERSION })
    })
  })

  test('says what Go said when it fails', async () => {
    await withFolder(async (folder) => {
      const env = await fakeGo(folder, 'echo "proxy is away" >&2; exit 1')
      await assert.rejects(installOpa({ env }), /proxy is away/)
      await refusedWith(installOpa({ env: { PATH: '/nowhere', HOME: folder }, from: 'go' }), 'ERR_OPA_FAILED')
    })
  })
})

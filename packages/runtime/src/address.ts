import { RuntimeError } from './runtime-error.ts'

/** A TCP address: `host` is a name or an IP address without brackets, `port` 0…65535 (0 = let the system choose). */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** `127.0.0.1:7443`, `[::1]:7443`, `accounts.local:80` → its parts. Throws `ERR_ADDRESS`. */
export function parseHostPort(text: string): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (!match || port > 65_535) {
    throw new RuntimeError(
      'ERR_ADDRESS',
      `"${text}" is not an address: write HOST:PORT, such as 127.0.0.1:7443 or [::1]:7443`,
    )
  }
  return { host: match[1] ?? match[2] ?? '', port }
}

/** The text form that `parseHostPort` takes back. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** True for 127.0.0.0/8, ::1 and `localhost`: the addresses that plaintext may be served on. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

import type { Socket } from 'node:net'
import { listen, type ListeningServer } from './testing.ts'

export const get = (path: string, ...fields: string[]): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields.map((one) => `${one}\r\n`).join('')}\r\n`
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
export const countOf = (text: string, sought: string): number => text.split(sought).length - 1

/** An upstream that keeps what it received and answers as told. */
export async function startUpstream(
  answer: (socket: Socket, received: string) => void,
): Promise<ListeningServer & { readonly received: string[]; all(): string }> {
  const received: string[] = []
  const server = await listen((socket) => {
    const index = received.push('') - 1
    socket.on('data', (piece) => {
      received[index] += piece.toString('latin1')
      answer(socket, received[index]!)
    })
    socket.on('end', () => socket.end())
  })
  return Object.assign(server, {
    received,
    all: () => received.join(''),
  })
}

/** Answers once per complete head. */
export function answering(response: string): (socket: Socket, received: string) => void {
  const answered = new WeakMap<Socket, number>()
  return (socket, received) => {
    const heads = countOf(received, '\r\n\r\n')
    for (let n = answered.get(socket) ?? 0; n < heads; n++) socket.write(Buffer.from(response, 'latin1'))
    answered.set(socket, heads)
  }
}

/** Answers the n-th request of each connection with `answers[n]`; the text `destroy` resets the connection instead. */
export function scripted(answers: readonly string[], received: string[] = []): (socket: Socket) => void {
  return (socket) => {
    let served = 0
    socket.on('data', (piece) => {
      received.push(piece.toString('latin1'))
      const answer = answers[Math.min(served++, answers.length - 1)]!
      if (answer === 'destroy') socket.resetAndDestroy()
      else socket.write(answer)
    })
    socket.on('end', () => socket.end())
  }
}

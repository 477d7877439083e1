import { integer, text } from '../setting.ts';

/** Addresses that a process listens on. */
export const addressSettings = {
  POSTHORN_HTTP_HOST: text({
    default: '127.0.0.1',
    description:
      'Address that the API listens on: 127.0.0.1 for this machine only, 0.0.0.0 for every IPv4 interface, `::` for IPv6 as well.',
  }),
  POSTHORN_HTTP_PORT: integer({
    default: 8080,
    minimum: 0,
    maximum: 65535,
    description: 'Port of the API (ingress and control). 0: any free one.',
  }),
  POSTHORN_OPS_HOST: text({
    default: '127.0.0.1',
    description: 'Address of the private port with `/livez`, `/readyz` and `/metrics`.',
  }),
  POSTHORN_OPS_PORT: integer({
    default: 9090,
    minimum: 0,
    maximum: 65535,
    description:
      'Private port; further processes of `posthorn start` use the ports after it. 0: any free one.',
  }),
  POSTHORN_RECEIVER_PORT: integer({
    default: 8081,
    minimum: 0,
    maximum: 65535,
    description: 'Port of the demo receiver of `posthorn start`.',
  }),
};

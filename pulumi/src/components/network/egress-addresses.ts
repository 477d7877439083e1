import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';

export interface EgressAddressesArgs {
  /** Begins the name of each address. */
  name: string;
  count: number;
}

/**
 * The public addresses from which webhooks come. Receivers put them on lists that they rarely
 * change, so they live apart from the gateways that use them, cannot be deleted by a mistake, and
 * stay allocated even if they leave the program. Spare ones are published from the first day.
 */
export class EgressAddresses extends pulumi.ComponentResource {
  readonly allocationIds: pulumi.Output<string>[];
  readonly addresses: pulumi.Output<string[]>;

  constructor(name: string, args: EgressAddressesArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:EgressAddresses', name, {}, opts);
    const eips = Array.from(
      { length: args.count },
      (_, index) =>
        new aws.ec2.Eip(
          `${name}-${index}`,
          { domain: 'vpc', tags: { Name: `${args.name}-egress-${index}` } },
          { parent: this, protect: true, retainOnDelete: true },
        ),
    );
    this.allocationIds = eips.map(({ allocationId }) => allocationId);
    this.addresses = pulumi.all(eips.map(({ publicIp }) => publicIp));
    this.registerOutputs({ addresses: this.addresses });
  }
}

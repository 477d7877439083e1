import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { policyDocument } from '../../iam-policy.ts';
import type { PlatformContext } from '../../platform-context.ts';

export interface SecretContainerArgs {
  context: PlatformContext;
  keyArn: pulumi.Input<string>;
  /** Where it is copied to. */
  recovery: { region: string; keyArn: pulumi.Input<string> } | undefined;
}

/**
 * The one entry of a platform; its value is a JSON object with the keys that the chart names. One,
 * so that a rotation of several of them is one change.
 */
export function secretName(context: PlatformContext): string {
  return `posthorn/${context.settings.environment}`;
}

/**
 * A secret without a value: the value is put in by people, and is in no state file, no
 * configuration and no log of this program.
 */
export class SecretContainer extends pulumi.ComponentResource {
  readonly arn: pulumi.Output<string>;

  constructor(name: string, args: SecretContainerArgs, opts: pulumi.ComponentResourceOptions) {
    super('posthorn:aws:SecretContainer', name, {}, opts);
    const { recovery } = args;
    const secret = new aws.secretsmanager.Secret(
      name,
      {
        name: secretName(args.context),
        description:
          'JSON with mongodbUrl, masterKey, bootstrapKey, natsPassword of each role, natsAuthSeed',
        kmsKeyId: args.keyArn,
        recoveryWindowInDays: 30,
        replicas:
          recovery === undefined ? [] : [{ region: recovery.region, kmsKeyId: recovery.keyArn }],
      },
      { parent: this, protect: true },
    );
    new aws.secretsmanager.SecretPolicy(
      name,
      {
        secretArn: secret.arn,
        blockPublicPolicy: true,
        policy: policyDocument([
          {
            Sid: 'DenySecretOverInsecureTransport',
            Effect: 'Deny',
            Principal: '*',
            Action: ['secretsmanager:*'],
            Resource: ['*'],
            Condition: { Bool: { 'aws:SecureTransport': 'false' } },
          },
        ]),
      },
      { parent: this },
    );
    this.arn = secret.arn;
    this.registerOutputs({ arn: this.arn });
  }
}

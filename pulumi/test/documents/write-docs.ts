/** Writes the generated parts: the document, and the policies: read their difference and agree. */
import { writeFileSync } from 'node:fs';
import { writeCloudDocument } from './generated-documents.ts';
import { describePolicies, policyDocumentsOf } from './policy-documents.ts';
import { recordPlatform } from '../kit/record-platform.ts';

const { resources } = await recordPlatform('prod', { mongodbMode: 'operator' });
const policies = new URL('reviewed-policies.txt', import.meta.url);
writeFileSync(policies, describePolicies(policyDocumentsOf(resources)));
writeCloudDocument();

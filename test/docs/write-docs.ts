/** `npm run docs`: writes the generated parts of the documents. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mirroredValues } from '#infra/nats/access/format-mirror.ts';
import { natsUsersValues } from '#infra/nats/access/format-users.ts';
import { putChartSettings } from './chart-settings.ts';
import { dashboards } from './dashboards/dashboards.ts';
import { renderDashboard } from './dashboards/panel.ts';
import {
  generatedParts,
  NATS_MIRRORED,
  NATS_USERS,
  NATS_USERS_SHARDS,
  replacePart,
} from './generated.ts';
import { projectRoot, projectText } from './project-files.ts';

for (const { document, name, make } of generatedParts) {
  const path = join(projectRoot, document);
  const text = projectText(document);
  const written = replacePart(text, name, make());
  if (written !== text) writeFileSync(path, written);
  console.log(`${document}: ${name} ${written === text ? 'is up to date' : 'written'}`);
}

const chartSchema = 'charts/posthorn/values.schema.json';
writeFileSync(join(projectRoot, chartSchema), putChartSettings(projectText(chartSchema)));
console.log(`${chartSchema}: settings written`);

writeFileSync(join(projectRoot, NATS_USERS), natsUsersValues(NATS_USERS_SHARDS));
writeFileSync(join(projectRoot, NATS_MIRRORED), mirroredValues(NATS_USERS_SHARDS));
console.log(`${NATS_USERS}, ${NATS_MIRRORED}: written`);

for (const dashboard of dashboards) {
  const path = `charts/posthorn/files/dashboards/${dashboard.name}.json`;
  writeFileSync(join(projectRoot, path), renderDashboard(dashboard));
}
console.log('charts/posthorn/files/dashboards: written');

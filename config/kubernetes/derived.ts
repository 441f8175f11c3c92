/**
 * `npm run kubernetes`: writes what the chart and the kustomizations hold of other files of
 * `config/`, since neither may read outside of its folder: the rules for Prometheus, the example of
 * a configuration, and redis.conf. A test compares them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

const CONFIG = join(import.meta.dirname, '..');
/** What kustomize and Helm read: `on` and `no` need quotes there. */
const YAML_1_1 = { version: '1.1' } as const;

/** By their paths below this folder. */
export function derivedFiles(): ReadonlyMap<string, string> {
  const rules = { groups: ['recording', 'alerts'].flatMap(groupsOf) };
  const object = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'sallyport' },
    spec: rules,
  };
  const from = 'Made of config/prometheus by `npm run kubernetes`.';
  const example = readFileSync(join(import.meta.dirname, 'base/sallyport.yaml'), 'utf8');
  return new Map([
    ['chart/files/rules.yaml', `# ${from}\n${stringify(rules, YAML_1_1)}`],
    ['components/monitoring/prometheus-rule.yaml', `# ${from}\n${stringify(object, YAML_1_1)}`],
    ['chart/files/sallyport.yaml', example.replace('../../', '../../../')],
    ['examples/redis/redis.conf', readFileSync(join(CONFIG, 'redis/redis.conf'), 'utf8')],
  ]);
}

/**
 * The operator wants names of groups that differ within an object; those of the recording rules and
 * of the alerts are the same.
 */
function groupsOf(file: string): { name: string; rules: unknown[] }[] {
  const text = readFileSync(join(CONFIG, 'prometheus', `${file}.yml`), 'utf8');
  const { groups } = parse(text) as { groups: { name: string; rules: unknown[] }[] };
  return groups.map(({ name, rules }) => ({ name: `${name}-${file}`, rules }));
}

if (import.meta.main)
  for (const [path, text] of derivedFiles()) writeFileSync(join(import.meta.dirname, path), text);

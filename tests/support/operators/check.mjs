// Reads manifests as JSON from stdin; says of each what its CRD's schema has against it, as one line of JSON.
//
// The validators are generated from the CRDs. Like the cluster they say nothing of fields that they do not know, which it
// then drops; so each manifest is handed over in a wrapping that notes what was looked at.
import { readFileSync } from "node:fs";

const KEDA = "keda/_schemas/ComGithubKedacoreKedaV2ApisKedaV1alpha1";
const PROMETHEUS = "prometheus-operator/_schemas/ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1";
const SCHEMAS = {
  "keda.sh/v1alpha1/ScaledObject": `${KEDA}ScaledObject.js`,
  "keda.sh/v1alpha1/TriggerAuthentication": `${KEDA}TriggerAuthentication.js`,
  "monitoring.coreos.com/v1/PodMonitor": `${PROMETHEUS}PodMonitor.js`,
};

function watched(value, path, seen) {
  if (value === null || typeof value !== "object") return value;
  return new Proxy(value, {
    get(target, name) {
      if (typeof name !== "string") return target[name];
      seen.add(`${path}/${name}`);
      return watched(target[name], `${path}/${name}`, seen);
    },
  });
}

function* paths(value, path = "") {
  if (value === null || typeof value !== "object") return;
  for (const [name, inner] of Object.entries(value)) {
    yield `${path}/${name}`;
    yield* paths(inner, `${path}/${name}`);
  }
}

async function problems(made) {
  const schema = SCHEMAS[`${made.apiVersion}/${made.kind}`];
  if (schema === undefined) return [`no schema of ${made.apiVersion} ${made.kind}`];
  const { validate } = await import(new URL(`node_modules/@kubernetes-models/${schema}`, import.meta.url));
  const seen = new Set();
  if (!validate(watched(made, "", seen))) return validate.errors.map((e) => `${e.instancePath}: ${e.message ?? e.keyword}`);
  return [...paths(made)].filter((path) => !seen.has(path)).map((path) => `${path}: unknown field`);
}

for (const made of JSON.parse(readFileSync(0, "utf8"))) console.log(JSON.stringify(await problems(made)));

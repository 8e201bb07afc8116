// What AsyncAPI's own parser makes of each file that is named: one line of JSON a file.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

for (const name of process.argv.slice(2)) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(name, "utf8"));
  const accepted = document !== undefined;
  const problems = diagnostics.map((one) => ({ severity: one.severity, code: one.code, at: one.path.join("."), said: one.message }));
  const found = accepted
    ? {
        version: document.version(),
        channels: document.channels().all().map((one) => one.address()).sort(),
        operations: document.operations().all().map((one) => one.id()).sort(),
        messages: document.messages().all().map((one) => [one.name(), Object.keys(one.payload().json().properties ?? {}).sort()]).sort(),
      }
    : {};
  console.log(JSON.stringify({ accepted, problems, ...found }));
}

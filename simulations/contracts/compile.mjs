// Compiles the drill's contracts to NAME.json (ABI and creation bytecode) beside them, or into the directory given as
// the first argument; with `traces` as the second also Traces.json, the cases behind the labelled traces. The output depends on the sources and the pinned compiler only: no metadata hash, no paths.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = process.env.WATCHFIRE_CONTRACT_MODULES ?? join(here, "node_modules");
const out = process.argv[2] ?? here;
const solc = createRequire(join(modules, "package.json"))("solc");

const names = ["Attacker", "BlockingGuard", "Vault"];
// The labelled transactions' contracts stand in a folder of their own; each that is a case of its own goes into Traces.json.
const parts = ["Parts", "World", "Attacks", "Honest", "Tricks"];
const read = (path) => ({ content: readFileSync(join(here, path), "utf8") });
const input = {
  language: "Solidity",
  sources: Object.fromEntries([
    ...names.map((name) => [`${name}.sol`, read(`${name}.sol`)]),
    ...parts.map((part) => [`traces/${part}.sol`, read(`traces/${part}.sol`)]),
  ]),
  settings: {
    evmVersion: "cancun",
    optimizer: { enabled: true, runs: 200 },
    metadata: { bytecodeHash: "none", appendCBOR: false },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  },
};
const resolve = (path) => {
  try {
    return { contents: readFileSync(join(modules, path), "utf8") };
  } catch (error) {
    return { error: String(error) };
  }
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: resolve }));
const faults = (output.errors ?? []).filter((error) => error.severity === "error");
if (faults.length > 0) {
  for (const fault of faults) console.error(fault.formattedMessage);
  process.exit(1);
}
mkdirSync(out, { recursive: true });
for (const name of names) {
  const contract = output.contracts[`${name}.sol`][name];
  const artifact = { abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` };
  writeFileSync(join(out, `${name}.json`), `${JSON.stringify(artifact)}\n`);
}
if (process.argv[3] === "traces") {
  const cases = parts.flatMap((part) => Object.entries(output.contracts[`traces/${part}.sol`] ?? {}));
  const traced = cases
    .filter(([name]) => /^(Attack|Honest)|^Wrapped$/.test(name))
    .map(([name, { evm }]) => [name, `0x${evm.bytecode.object}`]);
  writeFileSync(join(out, "Traces.json"), `${JSON.stringify(Object.fromEntries(traced.sort()))}\n`);
}

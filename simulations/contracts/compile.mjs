// Compiles the drill's contracts to NAME.json (ABI and creation bytecode) beside them, or into the directory given as
// the only argument. The output depends on the sources and the pinned compiler only: no metadata hash, no paths.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = process.env.WATCHFIRE_CONTRACT_MODULES ?? join(here, "node_modules");
const out = process.argv[2] ?? here;
const solc = createRequire(join(modules, "package.json"))("solc");

const names = ["Attacker", "BlockingGuard", "Vault"];
const input = {
  language: "Solidity",
  sources: Object.fromEntries(names.map((name) => [`${name}.sol`, { content: readFileSync(join(here, `${name}.sol`), "utf8") }])),
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

import { spawnSync } from "node:child_process";

test("an engine that is there is not built again for a mistake in the environment", () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["scripts/build.mjs", "--unless-built"],
    // Without a PATH no compiler is found: whoever builds, fails.
    { env: { CRIA_CPU_LEVEL: "avx4096", PATH: "" }, encoding: "utf8" },
  );
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
});

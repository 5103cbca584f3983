import { spawnSync } from "node:child_process";
import { cria } from "../support/cli.js";

test("bash completes commands, flags and choices with the script", async () => {
  const { stdout } = await cria(["completion", "bash"]);
  const asked = `${stdout}
t() { COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _cria; echo "\${COMPREPLY[*]}"; }
t cria ge; t cria generate --spec; t cria generate --speculation ""; t cria completion ""`;
  const shell = spawnSync("bash", ["-c", asked], { encoding: "utf8" });
  const words = "generate\n--speculation\nngram draft eagle3 mtp\nbash zsh fish\n";
  expect(shell).toMatchObject({ status: 0, stderr: "", stdout: words });
});

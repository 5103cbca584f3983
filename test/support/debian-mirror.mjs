// Where this system gets Debian's packages from: CRIA_DEBIAN_MIRROR, or what apt is set up for.

import { spawnSync } from "node:child_process";

export function debianMirror() {
  if (process.env.CRIA_DEBIAN_MIRROR) return process.env.CRIA_DEBIAN_MIRROR;
  const format = "$(ORIGIN)|$(LABEL)|$(REPO_URI)";
  const { stdout } = spawnSync("apt-get", ["indextargets", "--format", format], {
    encoding: "utf8",
  });
  const found = (stdout ?? "")
    .split("\n")
    .map((line) => line.split("|"))
    .find(([from, of]) => `${from}${of}` === "DebianDebian");
  return found?.[2] ?? "http://deb.debian.org/debian";
}

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

let include: string;

beforeAll(() => {
  include = mkdtempSync(join(tmpdir(), "cria-toolchain-"));
  mkdirSync(join(include, "vulkan"));
});
afterAll(() => rmSync(include, { recursive: true }));

/** What a build for Vulkan with such headers and this glslc would be told to be missing. */
function missing(headers: string, glslc: string): string {
  writeFileSync(join(include, "vulkan", "vulkan.hpp"), headers);
  const vulkan = [`-DVulkan_INCLUDE_DIR=${include}`, `-DVulkan_GLSLC_EXECUTABLE=${glslc}`];
  const script = pathToFileURL(resolve("scripts", "toolchain.mjs")).href;
  const program = `
    import { checkToolchain } from ${JSON.stringify(script)};
    await checkToolchain({ git: false, vulkan: ${JSON.stringify(vulkan)} })
      .catch(({ message }) => console.log(message));`;
  const args = ["--input-type=module", "--eval", program];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(stderr).toBe("");
  return stdout;
}

test("a build for Vulkan without glslc, or with headers that are too old, says so and what to do", () => {
  const told = missing("namespace vk {}\n", join(include, "no-glslc"));
  expect(told).toMatch(/For --vulkan there is no glslc.*no headers of Vulkan/);
  expect(told).toMatch(/apt-get install libvulkan-dev glslc|vulkan\.lunarg\.com|VulkanSDK/);
});

test("what is there is not asked for", () => {
  const told = missing("namespace vk { struct LayerSettingEXT {}; }\n", process.execPath);
  expect(told).not.toMatch(/glslc,|glslc\.|headers of Vulkan/);
});

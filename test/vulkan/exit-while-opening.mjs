// Exits while the first load of the process opens its device (failing-driver.c).
import { existsSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { Model } from "../../dist/index.js";

const file = process.env.CRIA_TEST_VULKAN_FAULT;
writeFileSync(file, "opening");
Model.load(process.env.CRIA_TEST_MODEL);
while (existsSync(file)) await setTimeout(1);
process.exit(7);

{
  # For callers of node-gyp, @electron/rebuild among them. CMakeLists.txt describes the build.
  "targets": [
    {
      "target_name": "cria",
      "type": "none",
      "actions": [
        {
          "action_name": "build",
          "inputs": [],
          "outputs": ["<(PRODUCT_DIR)/cria.node"],
          "action": ["node", "scripts/build.mjs"]
        }
      ]
    }
  ]
}

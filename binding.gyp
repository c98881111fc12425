# For node-gyp in the repository: the addon's own file is in native/, which the package has. The
# package has none here, which npm would take for a wish to compile it.
{
  "targets": [
    { "target_name": "addon", "type": "none", "dependencies": ["native/binding.gyp:tripoll"] }
  ]
}

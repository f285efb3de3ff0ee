"""The text of `modlint --help`, by hand so that showing it imports nothing."""

HELP = """\
modlint: finds reused nn.Module instances in PyTorch models and warns where the reuse changes what is learned.

Usage: modlint [check] [OPTIONS] PATH...
       modlint COMMAND [ARGS]...

Commands:
  check    Lint files and folders; imports neither torch nor your code (the default command)
  trace    Build a model, trace it with torch.fx and print its reuse graph
  confirm  Trace a model, then measure what its reuse changes
  compare  Measure whether two models are the same function
  state    Say what a constructor call makes: modlint state 'nn.BatchNorm2d(8, affine=False)'
  rule     Print a rule's page: modlint rule ML101
  config   List the keys of [tool.modlint] in pyproject.toml, or describe one
  clean    Remove the cache
  server   Run the language server
  version  Print the version

Options:
  -h, --help     Show this text; `modlint COMMAND --help` shows the options of a command
  -V, --version  Print the version

Exit status: 0 clean, 1 findings of warning or error, 2 usage or internal error.
"""

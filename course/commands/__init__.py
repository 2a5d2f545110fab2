"""The larger commands of `course`, one module each: `configure(parser)` adds the arguments, `run(args)` does it."""

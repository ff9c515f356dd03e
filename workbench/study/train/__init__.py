"""From a configuration to a finished run: stages, epochs, steps."""

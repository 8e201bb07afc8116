"""Telemetry: implementations of `farandole.log.hooks.Hooks`; the runtime works the same without any."""

"""Pictures of a training for the registry, drawn without a display."""

"""What tests share: places, worlds, stages, waiting."""

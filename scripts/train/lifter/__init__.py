"""Training the lifter: motions, random people and cameras, simulated detections (docs/lifter.md)."""

"""Learning the lifter: motions, imaginary people and cameras, a detector's errors, the training itself."""

"""Training PaMIR's geometry network on people drawn here: poses, clothes, pictures, samples."""
